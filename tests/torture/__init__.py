"""A proxy storage under many writers, with faults from outside: nothing may be lost or mixed up."""
