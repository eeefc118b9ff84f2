"""Many processes use a proxy storage while faults occur. No file may be lost or mixed up."""
