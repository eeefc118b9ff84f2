"""Stress tests: many processes use a proxy storage under faults, and no file may be lost."""
