//! What is said in a conversation, and shown.

use sabir_core::chat::{CacheMark, ChatRequest, Content, Document, Media, Message, Part, Reasoning, Role};
use serde_json::json;

use super::{Asking, PNG, asking, plain};
use crate::player::MODEL;

pub(super) fn conversations(dialect: &str) -> Vec<Asking> {
    let unicode = "Grüße 世界 👩‍🚀 \"q\" \\ a\nb\r\n\tc\u{2028}d\u{0}\u{7f}";
    let start = || ChatRequest::new(MODEL).max_tokens(100);
    let thought = |signature: Option<&str>| {
        let signature = signature.map(str::to_owned);
        Content::Reasoning(Reasoning { text: "Salt of rivers.".into(), signature, encrypted: None })
    };
    let answered =
        |part: Part| plain().message(Message::new(Role::Assistant, [part, Part::text("Rivers.")])).user("So?");
    let opaque = |dialect: &str| {
        let json = json!({"type": "x_testkit", "data": [1, 2]});
        plain().message(Message::new(
            Role::User,
            [Part::text("a"), Content::Opaque { dialect: dialect.into(), json }.into()],
        ))
    };
    let mut named = plain();
    named.messages[0].name = Some("Ana".into());
    let cached = [Part::text("Long.").cached(), Part::text("Short.")];
    let hour = Part { cache: Some(CacheMark { ttl: Some("1h".into()) }), ..Part::text("Long.") };
    vec![
        asking("system", start().system("Be brief.").user("Hi")),
        asking("developer", start().message(Message::new(Role::Developer, [Part::text("Be brief.")])).user("Hi")),
        asking("system midway", plain().assistant("Rivers.").system("Be brief.").user("So?")),
        asking("several turns", start().system("Be kind.").user("Hi").assistant("Hello!").user("How are you?")),
        asking("unicode", start().system(unicode).user(unicode)),
        asking("several texts", start().message(Message::new(Role::User, [Part::text("One."), Part::text("Two.")]))),
        asking("prefill", plain().assistant("The sea is")),
        asking("name", named),
        asking("thought", answered(thought(None).into())),
        asking("signed thought", answered(thought(Some("c2ln+/==")).into())),
        asking("cache mark", start().message(Message::new(Role::User, cached.clone()))),
        asking("cache mark of an hour", start().message(Message::new(Role::User, [hour]))),
        asking("cache mark in system", start().message(Message::new(Role::System, cached)).user("Hi")),
        asking("own opaque part", opaque(dialect)),
        asking("foreign opaque part", opaque("testkit-other")),
    ]
}

pub(super) fn media() -> Vec<Asking> {
    let shown = |content: Content| {
        let message = Message::new(Role::User, [Part::text("What is this?"), content.into()]);
        ChatRequest::new(MODEL).message(message).max_tokens(100)
    };
    let file = |media, title: &str| Content::Document(Document { media, title: Some(title.into()) });
    let pdf = || Media::bytes(&b"%PDF-1.7 x"[..], "application/pdf");
    vec![
        asking("image by URL", shown(Content::Image(Media::url("https://example.com/a.png")))),
        asking("image", shown(Content::Image(Media::bytes(PNG, "image/png")))),
        asking("image by file id", shown(Content::Image(Media::file_id("file_1")))),
        asking("sound", shown(Content::Audio(Media::bytes(&b"RIFF\x00WAVE"[..], "audio/wav")))),
        asking("document", shown(file(pdf(), "a.pdf"))),
        asking("document of text", shown(file(Media::bytes(&b"Salt."[..], "text/plain"), "a.txt"))),
        asking(
            "document by file id",
            shown(Content::Document(Document { media: Media::file_id("file_2"), title: None })),
        ),
        asking("document by URL", shown(file(Media::url("https://example.com/a.pdf"), "a.pdf"))),
    ]
}
