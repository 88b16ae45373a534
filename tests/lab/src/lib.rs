//! Real machines on one machine.
