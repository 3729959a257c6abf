"""One file per question, each leaving one JSON record in ``benchmarks/records``."""
