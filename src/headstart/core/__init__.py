"""What every room may use: errors, plugin loading, the records that cross rooms, device and seed."""
