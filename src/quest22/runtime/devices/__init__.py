"""One model on several devices of this machine: a process each, one engine for all."""
