//! Several models side by side: asked at once, written one after another.

use std::process::ExitCode;

use sabir::Message;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::ask::{Asked, End};
use super::session::Session;
use super::{Args, STOPPED, finish, object};
use crate::failure::{self, Failure, Outcome};
use crate::output::{print, print_json};
use crate::writer::Writer;

/// One of them, after its turn.
struct Turn {
    /// Its place among them.
    at: usize,
    session: Session,
    asked: Asked,
    writer: Writer,
}

/// Asks them all. The first is written as it comes, and each of the others when it is whole and the one before it is.
pub(super) async fn run(sessions: impl Iterator<Item = Session>, message: &Message, args: &Args) -> Outcome {
    let mut under_way = JoinSet::new();
    for (at, mut session) in sessions.enumerate() {
        let mut writer = Writer::held(args.plain);
        if at == 0 && !args.json {
            head(&session.model, true)?;
            writer.release()?;
        }
        let message = message.clone();
        under_way.spawn(async move {
            let asked = session.turn(message, &mut writer).await;
            Turn { at, session, asked, writer }
        });
    }
    let mut objects = vec![Value::Null; under_way.len()];
    let mut status = ExitCode::SUCCESS;
    // Those that are ready before the first.
    let mut early = Vec::new();
    let mut first_is_over = args.json;
    while let Some(turn) = under_way.join_next().await {
        // A task that is not whole has panicked, and the panic was told; here it goes on.
        let turn = turn.map_err(|error| Failure::nothing(format!("an answer was lost: {error}")))?;
        if turn.at > 0 && !first_is_over {
            early.push(turn);
            continue;
        }
        first_is_over = true;
        for turn in std::iter::once(turn).chain(early.drain(..)) {
            let (at, session) = (turn.at, turn.session);
            if args.json {
                let mut object = object(&turn.asked, &session);
                object["asked"] = json!(session.model);
                objects[at] = object;
            } else if at > 0 {
                head(&session.model, false)?;
            }
            if let Some(worse) = over(turn.asked, turn.writer, args)? {
                status = worse;
            }
        }
    }
    if args.json {
        print_json(&Value::Array(objects))?;
    }
    Ok(status)
}

/// Writes the rest of an answer that is over; its status, where it is none to be glad of.
fn over(asked: Asked, mut writer: Writer, args: &Args) -> Result<Option<ExitCode>, Failure> {
    finish(&asked, &mut writer, args)?;
    match asked.end {
        End::Done => Ok(None),
        End::Failed(error) => {
            let failure = Failure::from(error);
            failure::show(&failure);
            Ok(Some(ExitCode::FAILURE))
        }
        End::Stopped => Ok(Some(ExitCode::from(STOPPED))),
        End::Unread(failure) => Err(failure),
    }
}

fn head(model: &str, is_first: bool) -> Result<(), Failure> {
    print(&format!("{}== {model} ==\n", if is_first { "" } else { "\n" }))
}
