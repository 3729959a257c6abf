"""One file per question, each of which writes one JSON record to ``benchmarks/records``."""
