"""Personal data: export, erasure, consent revocation, and visitors."""
