//! Providers' batches, of a client: against the simulator, byte for byte.

use sabir::batch::State;
use sabir::{ChatRequest, Client, Env, ErrorKind};
use sabir_sim::{Loopback, Simulator};

fn client() -> Client {
    let names = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY"];
    let env: Env = names.into_iter().map(|name| (name, "any-key")).collect();
    Client::builder().env(env).transport(Loopback::new(Simulator::new().require_key("any-key"))).build().expect("built")
}

#[tokio::test(flavor = "current_thread")]
async fn a_batch_is_submitted_found_and_worked_off() {
    let client = client();
    for (provider, model) in
        [("openai", "m"), ("openai:responses", "m"), ("anthropic", "claude-haiku-4-5"), ("gemini", "m")]
    {
        let batches = client.batches(provider).expect("it has batches");
        let line = |id: &str, text: &str| batches.line(id, &ChatRequest::new(model).user(text)).expect("a line");
        let lines = [line("one", "Salt?"), line("two", "Pepper?")];
        let batch = batches.submit(&lines, "spices").await.expect("submitted");
        assert!(!batch.state.is_over(), "{provider}");
        let found = batches.find("spices").await.expect("a list").map(|batch| batch.id);
        assert_eq!(found, batches.format().keeps_names().then(|| batch.id.clone()), "{provider}");
        assert_eq!(batches.find("herbs").await.expect("a list").map(|batch| batch.id), None);
        assert_eq!(batches.status(&batch.id).await.expect("told").state, State::Running, "{provider}");
        let batch = batches.status(&batch.id).await.expect("told");
        assert_eq!((batch.state, batch.counts.done), (State::Done, 2), "{provider}");
        let results = batches.results(&batch).await.expect("results");
        assert_eq!(results.len(), 2);
        for (id, answered) in results {
            let (answer, word) = (answered.expect("an answer"), if id == "one" { "Salt?" } else { "Pepper?" });
            assert!(answer.text().contains(word), "{provider}: {}", answer.text());
            assert!(answer.usage.input_total().is_some() && !answer.provider.is_empty());
        }
        let unknown = batches.status("batches/nowhere").await.expect_err("it is not there");
        assert_eq!((unknown.kind(), unknown.provider().is_some()), (ErrorKind::NotFound, true), "{provider}");
        // What is left of one that is cancelled is not worked on.
        let other = batches.submit(&lines, "more").await.expect("submitted");
        batches.cancel(&other.id).await.expect("cancelled");
        assert!(batches.status(&other.id).await.expect("told").state.is_over(), "{provider}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn who_takes_no_batches_says_so() {
    let client = client();
    let error = client.batches("groq").map(drop).expect_err("none are known");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(client.batches("nowhere").map(drop).expect_err("unknown").kind(), ErrorKind::Configuration);
    let lines = client.batches("openai").expect("it has batches");
    assert!(lines.line("x", &ChatRequest::new("m")).is_err(), "a conversation of nothing");
}
