//! What nobody should send and somebody does: one list of hostile streams and bodies, held against every dialect
//! through the whole stack. The rooms' own tests and the testkit have more; this is what each of them owes.

#[path = "../conformance/asked.rs"]
#[allow(dead_code, reason = "conformance asks for vectors too")]
mod asked;
mod bodies;
mod own;
mod play;
mod streams;
mod strict;
mod wires;
