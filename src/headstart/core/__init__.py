"""What every package may use: errors, plugin loading, the records that packages exchange, device and seed."""
