//! What goes in comes out: conversations, media, signatures.

use sabir::chat::{ChatRequest, ChatResponse, Content, Document, Media, Message, Part, Reasoning, Role};

use super::*;

fn store(name: &str) -> (Store, PathBuf) {
    let path = std::env::temp_dir().join(format!("sabir-log-{name}-{}.db", std::process::id()));
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", path.display()));
    }
    (Store::open(&path).expect("a log"), path)
}

fn exchange<'a>(past: Option<&'a Past>, request: &'a ChatRequest, added: &'a [Message]) -> Exchange<'a> {
    let (time, outcome) = (Duration::from_secs(1_000), Outcome::Answered);
    Exchange { past, time, model: "sim/x", outcome, error: None, request, added, answer: None }
}

fn count(store: &Store, table: &str) -> i64 {
    store.connection.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

#[test]
fn attachments_and_signatures_come_back_byte_for_byte_and_are_kept_once() {
    let (mut store, path) = store("media");
    let picture = Part::from(Content::Image(Media::bytes(vec![1_u8, 2, 3, 0, 255], "image/png")));
    let document = Document { media: Media::bytes(&b"%PDF-"[..], "application/pdf"), title: Some("a.pdf".into()) };
    let person = Message::new(Role::User, [picture.clone(), Part::from(Content::Document(document)), picture]);
    let thought = Reasoning { text: "hm".into(), signature: Some("c2ln/+==".into()), encrypted: Some("x y".into()) };
    let model = Message::new(Role::Assistant, [Part::from(Content::Reasoning(thought)), Part::text("Salt.")]);
    let linked = Message::new(Role::User, [Part::from(Content::Image(Media::url("https://x.test/a.png")))]);
    let request = ChatRequest::new("x").max_tokens(7);

    let first = [person.clone(), model.clone()];
    let kept = store.write(&exchange(None, &request, &first)).expect("kept");
    let past = store.past(&kept.conversation).expect("read");
    assert_eq!(past.messages, first);
    let second = [linked, model.clone()];
    let again = store.write(&exchange(Some(&past), &request, &second)).expect("kept");
    assert_eq!(again, Kept { conversation: kept.conversation.clone(), number: 2 });
    let whole = store.past(&kept.conversation).expect("read").messages;
    assert_eq!(whole, [&first[..], &second[..]].concat());
    assert_eq!((count(&store, "messages"), count(&store, "media"), count(&store, "turns")), (3, 2, 4));

    // Who went on from the first exchange meanwhile gets a conversation of their own, which is whole.
    let other = [Message::user("And lakes?"), Message::assistant("Less.")];
    let forked = store.write(&exchange(Some(&past), &request, &other)).expect("kept");
    assert_eq!(forked.number, 1);
    assert_ne!(forked.conversation, kept.conversation);
    assert_eq!(store.past(&forked.conversation).expect("read").messages, [&first[..], &other[..]].concat());

    assert_eq!(store.delete(&kept.conversation).expect("deleted"), 2);
    assert_eq!((count(&store, "messages"), count(&store, "media")), (4, 2), "the other one still has them");
    assert_eq!(store.delete_before(Duration::from_secs(1_000)).expect("deleted"), 0);
    assert_eq!(store.delete_before(Duration::from_secs(1_001)).expect("deleted"), 1);
    assert_eq!((count(&store, "messages"), count(&store, "media"), count(&store, "message_media")), (0, 0, 0));
    assert!(store.search(&["lakes".to_owned()], &Find::default()).expect("searched").is_empty());
    let _ = std::fs::remove_file(path);
}

#[test]
fn what_failed_is_listed_and_no_part_of_the_conversation() {
    let (mut store, path) = store("failed");
    let request = ChatRequest::default();
    let asked = [Message::user("Why?")];
    let failed = Exchange { outcome: Outcome::Failed, error: Some("no".into()), ..exchange(None, &request, &asked) };
    let kept = store.write(&failed).expect("kept");
    assert!(store.past(&kept.conversation).expect("read").messages.is_empty());
    assert_eq!(store.latest().expect("read"), None);
    let answer = ChatResponse::default();
    let added = [Message::user("Warum?"), Message::assistant("Darum.")];
    store.write(&Exchange { answer: Some(&answer), ..exchange(None, &request, &added) }).expect("kept");
    let listed = store.list(&Find::default()).expect("listed");
    assert_eq!(listed.iter().map(|entry| entry.outcome).collect::<Vec<_>>(), [Outcome::Answered, Outcome::Failed]);
    assert_eq!(store.asked(&listed[0]).expect("read"), "Warum?");
    assert!(listed[0].answer.is_some() && listed[1].error.as_deref() == Some("no"));
    for strange in ["\"", "*", "a\"b*", "c++ AND NOT (", "NEAR(a b)", "-", "^x", "text:Darum"] {
        store.search(&[strange.to_owned()], &Find::default()).expect(strange);
    }
    let hits = store.search(&["dar*".to_owned()], &Find::default()).expect("searched");
    assert_eq!((hits.len(), hits[0].role.clone(), hits[0].snippet.as_str()), (1, Role::Assistant, "[Darum]."));
    let _ = std::fs::remove_file(path);
}

#[test]
fn several_write_at_once_and_nothing_is_lost() {
    let (store, path) = store("threads");
    drop(store);
    let write = |number: usize| {
        let mut store = Store::open(&path).expect("opened");
        for at in 0..20 {
            let added = [Message::user(format!("{number} {at}")), Message::assistant("the same")];
            store.write(&exchange(None, &ChatRequest::default(), &added)).expect("kept");
        }
    };
    std::thread::scope(|scope| {
        for number in 0..4 {
            scope.spawn(move || write(number));
        }
    });
    let store = Store::open_there(&path).expect("opened");
    assert_eq!((count(&store, "exchanges"), count(&store, "messages")), (80, 81));
    let _ = std::fs::remove_file(&path);
}
