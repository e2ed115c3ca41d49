//! A conversation that goes on, over simulated providers.

use sabir::chat::{Content, Message, Part, Role};
use sabir::{Client, Conversation, ErrorKind};
use sabir_sim::{Failure, Script, Simulator, Turn};

fn client(turns: impl IntoIterator<Item = Turn>) -> Client {
    let script = turns.into_iter().fold(Script::new().strict(), Script::turn);
    let builder = Client::builder().service("sim", Simulator::scripted(script)).model("sim/model");
    builder.build().expect("a client")
}

/// Three exchanges, the second with a call.
fn talk() -> Conversation {
    let mut talk = Conversation::new().system("Be brief.");
    talk.push("one").push(Message::assistant("1"));
    talk.push("two").push(Message::new(Role::Assistant, [Part::tool_call("c", "add", "{}")]));
    talk.push(Message::tool_result("c", "2")).push(Message::assistant("2"));
    talk.push("three").push(Message::assistant("3"));
    talk
}

#[tokio::test]
async fn what_is_said_is_kept_and_an_error_leaves_no_trace() {
    let client = client([Turn::text("Salt."), Turn::error(Failure::new(500, "oh")), Turn::text("Fresh.")]);
    let mut talk = Conversation::new().system("Be brief.");
    assert_eq!(talk.say(&client, "The sea?").await.expect("an answer").text(), "Salt.");
    let before = talk.clone();
    assert!(talk.say(&client, "Lakes?").await.is_err());
    assert_eq!(talk, before);
    talk.say(&client, "Lakes?").await.expect("an answer");
    let texts: Vec<String> = talk.request().messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["Be brief.", "The sea?", "Salt.", "Lakes?", "Fresh."]);
}

#[test]
fn it_is_plain_data() {
    let json = serde_json::to_string(&talk()).expect("JSON");
    assert_eq!(serde_json::from_str::<Conversation>(&json).expect("a conversation"), talk());
}

#[test]
fn the_oldest_goes_first_and_a_call_is_never_split_from_its_result() {
    for budget in 0..=8 {
        let mut talk = talk();
        let dropped = talk.trim_by(budget, |_| 1);
        let expected = match budget {
            8 => 0,
            6 | 7 => 2,
            _ => 6,
        };
        assert_eq!(dropped.len(), expected, "within {budget}");
        assert_eq!(dropped.len() + talk.messages.len(), 8, "nothing is lost");
        assert_eq!(talk.messages[0].role, Role::User);
        let calls = |messages: &[Message]| {
            let parts = messages.iter().flat_map(|message| &message.parts);
            parts.fold((0, 0), |(calls, results), part| match part.content {
                Content::ToolCall(_) => (calls + 1, results),
                Content::ToolResult(_) => (calls, results + 1),
                _ => (calls, results),
            })
        };
        let (made, answered) = calls(&talk.messages);
        assert_eq!(made, answered);
        assert_eq!(talk.system.as_deref(), Some("Be brief."));
    }
}

#[tokio::test]
async fn what_is_dropped_can_be_put_into_few_words() {
    let client =
        client([Turn::text(" They counted to two. ").when_user("few words"), Turn::text("4").when_user("four")]);
    let mut talk = talk();
    let budget = talk.messages[6..].iter().map(Conversation::about_tokens).sum();
    assert!(talk.summarise(&client, budget).await.expect("a summary"));
    assert_eq!(talk.summary.as_deref(), Some("They counted to two."));
    assert_eq!(talk.messages.len(), 2);
    assert!(!talk.summarise(&client, 1000).await.expect("nothing to do"));
    assert_eq!(talk.say(&client, "four").await.expect("an answer").text(), "4");
    let lead = &talk.request().messages[0];
    assert_eq!(lead.role, Role::System);
    assert!(lead.text().contains("Be brief.") && lead.text().contains("counted to two"));
}

#[tokio::test]
async fn without_a_summary_nothing_is_dropped() {
    let client = client([Turn::text("  "), Turn::error(Failure::new(400, "no"))]);
    let mut talk = talk();
    assert_eq!(talk.summarise(&client, 0).await.expect_err("no words").kind(), ErrorKind::Provider);
    assert!(talk.summarise(&client, 0).await.is_err());
    assert_eq!(talk, self::talk());
}
