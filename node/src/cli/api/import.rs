//! Imports: a file of any length, sent in parts that the API takes.
//!
//! The same import again goes on where the last one ended: each part goes under a key made of the
//! import's own name and its place, so what was done is answered again and not done twice. What was
//! refused is written out; the rest is counted.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _},
};

use serde_json::Value;

use crate::cli::{
    api::{
        Shown,
        input::{Content, Request},
        server::{Failure, Server},
        show,
    },
    exit::Exit,
    output,
};

/// Lines of one part: few enough that a lost one is soon repeated.
const PART_LINES: usize = 500;
/// Bytes of one part, well below what the API takes.
const PART_BYTES: usize = 512 << 10;

/// Which lines became what.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    made: u64,
    there: u64,
    refused: u64,
}

/// A part of a file: whole lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Part {
    text: String,
    lines: u64,
}

/// Sends a file and shows what was refused.
///
/// # Errors
/// What the server said of a part as a whole, or that the file cannot be read.
pub async fn run(
    server: &Server,
    request: &Request,
    file: &str,
    shown: &Shown,
) -> Result<Exit, Failure> {
    let unreadable = |error: io::Error| Failure::new(Exit::Usage, format!("{file}: {error}"));
    let mut lines: Box<dyn BufRead> = match file {
        "-" => Box::new(BufReader::new(io::stdin())),
        path => Box::new(BufReader::new(File::open(path).map_err(unreadable)?)),
    };
    let name = request.key.clone().unwrap_or_else(|| server.own_key());
    let mut counted = Counted::default();
    let mut sent = 0;
    while let Some(part) = next(&mut lines).map_err(unreadable)? {
        let key = format!("{name}:{sent}");
        let (media, _) = request.body.clone().unwrap_or_default();
        let body = Some((media, Content::Text(part.text)));
        let request = Request { body, key: Some(key), ..request.clone() };
        let answer = server.send(&request, true).await.map_err(|failure| Failure {
            message: format!(
                "{}\n  {sent} lines were sent; go on with --idempotency-key {name}",
                failure.message
            ),
            ..failure
        })?;
        let answers = answer.body.as_str().unwrap_or_default();
        let exit = counted.take(answers, sent, shown);
        if exit != Exit::Ok {
            return Ok(exit);
        }
        sent += part.lines;
        if io::stderr().is_terminal() {
            output::progress(&format!("{sent} lines, {} refused", counted.refused));
        }
    }
    if io::stderr().is_terminal() {
        output::progress("");
    }
    let Counted { made, there, refused } = counted;
    output::message(&format!("{made} made, {there} there already, {refused} refused"));
    Ok(if refused == 0 { Exit::Ok } else { Exit::Failure })
}

/// The next lines of a file; none at its end.
fn next(lines: &mut impl BufRead) -> io::Result<Option<Part>> {
    let mut part = Part::default();
    let mut line = String::new();
    while usize::try_from(part.lines).unwrap_or(usize::MAX) < PART_LINES
        && part.text.len() < PART_BYTES
    {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        // The API does not count what is empty, so neither is it sent.
        if !line.trim().is_empty() {
            part.text.push_str(line.trim());
            part.text.push('\n');
            part.lines += 1;
        }
    }
    Ok((part.lines > 0).then_some(part))
}

impl Counted {
    /// Counts the answers to a part and writes out the refusals.
    fn take(&mut self, answers: &str, before: u64, shown: &Shown) -> Exit {
        let mut refusals = Vec::new();
        for answer in answers.lines() {
            let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
            let status = answer.get("status").and_then(Value::as_u64);
            match (status, answer.get("code").and_then(Value::as_str)) {
                (Some(201), _) => self.made += 1,
                (_, Some("already_exists")) => self.there += 1,
                _ => {
                    self.refused += 1;
                    let line = answer.get("line").and_then(Value::as_u64).unwrap_or_default();
                    if let Some(answer) = answer.as_object_mut() {
                        answer.insert("line".into(), (before + line).into());
                    }
                    refusals.push(answer);
                }
            }
        }
        let text = match shown.format {
            show::Format::Table => refusals.iter().map(sentence).collect(),
            _ => show::entries(&refusals, show::Format::Lines, &[]),
        };
        output::data(text.as_bytes())
    }
}

/// A refusal as a person reads it.
fn sentence(refusal: &Value) -> String {
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => show::tame(text),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let mut sentence = format!("line {}: {}", text(refusal, "line"), text(refusal, "detail"));
    for error in refusal.get("errors").and_then(Value::as_array).into_iter().flatten() {
        sentence.push_str(&format!("; {} {}", text(error, "pointer"), text(error, "detail")));
    }
    sentence.push('\n');
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_whole_lines_and_empty_ones_are_left_out() {
        let mut text = "a\n\n b \r\nc".as_bytes();
        let part = next(&mut text).unwrap().unwrap();
        assert_eq!(part, Part { text: "a\nb\nc\n".into(), lines: 3 });
        assert_eq!(next(&mut text).unwrap(), None);
        let long = format!("{}\n", "x".repeat(PART_BYTES)).repeat(2);
        let mut long = long.as_bytes();
        assert_eq!(next(&mut long).unwrap().unwrap().lines, 1);
        let many = "x\n".repeat(PART_LINES + 1);
        let mut many = many.as_bytes();
        assert_eq!(next(&mut many).unwrap().unwrap().lines, 500);
        assert_eq!(next(&mut many).unwrap().unwrap().lines, 1);
    }

    #[test]
    fn a_refusal_is_a_sentence() {
        let refusal = serde_json::json!({
            "line": 7, "status": 422, "code": "rule_violated", "detail": "a field breaks a rule",
            "errors": [{ "pointer": "/username", "detail": "must not be empty" }],
        });
        let wanted = "line 7: a field breaks a rule; /username must not be empty\n";
        assert_eq!(sentence(&refusal), wanted);
    }
}
