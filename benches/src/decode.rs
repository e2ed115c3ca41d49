//! `bench-decode DIALECT COUNT`: a burst of that many text events, encoded and decoded by the dialect's own room,
//! without a network. Twice the events must cost at most 2.2 times the instructions.

use sabir::ChatRequest;
use sabir::chat::Event;
use sabir::drive::decode_whole;

fn main() -> sabir::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, name, count] = arguments.as_slice() else { panic!("DIALECT COUNT") };
    let dialect = sabir::dialects::dialect(name).unwrap_or_else(|| panic!("no dialect {name}"));
    let count: usize = count.parse().expect("a number");

    let asked = ChatRequest { stream: true, ..ChatRequest::new("m").user("hi") };
    let mut encoder = dialect.encoder(&asked);
    let mut bytes = Vec::new();
    encoder.event(&Event::Start { id: "id".into(), model: "m".into() }, &mut bytes);
    let mut answer = sabir::ChatResponse::default();
    for number in 0..count {
        let event = Event::Text(format!(" word{number}"));
        answer.parts = vec![sabir::Part::text("")];
        encoder.event(&event, &mut bytes);
    }
    answer.id = "id".into();
    encoder.event(&Event::Done(Box::new(answer)), &mut bytes);
    let decoded = decode_whole(dialect, http::StatusCode::OK, &http::HeaderMap::new(), &bytes, true)?;
    assert!(decoded.text().len() > 5 * count);
    Ok(())
}
