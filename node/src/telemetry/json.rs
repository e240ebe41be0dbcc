//! Log lines as JSON: `ts`, `level`, `target`, `msg`, `node`, `request_id`, then the event's
//! fields.
//!
//! One event is one line: control characters are escaped, so nobody can forge a line by what they
//! send. Written with a single write, because several threads share the stream.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    io::Write as _,
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{fmt::MakeWriter, layer::Context};

use crate::{
    http::layer::Arrival,
    telemetry::{WallClock, timestamp::Rfc3339},
};

thread_local! {
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The layer that writes the lines.
pub struct Lines<W> {
    node_name: String,
    wall_ms: WallClock,
    writer: W,
}

impl<W> Lines<W> {
    /// Lines of that node to that writer.
    pub fn new(node_name: &str, wall_ms: WallClock, writer: W) -> Self {
        Self { node_name: node_name.to_owned(), wall_ms, writer }
    }
}

impl<S, W> tracing_subscriber::Layer<S> for Lines<W>
where
    S: Subscriber,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        LINE.with(|line| {
            // An event inside the formatting of an event would find the line in use: it is dropped.
            let Ok(mut line) = line.try_borrow_mut() else { return };
            line.clear();
            self.write(&mut line, event);
            // There is no other place to report that the log cannot be written.
            let _ = self.writer.make_writer().write_all(line.as_bytes());
        });
    }
}

impl<W> Lines<W> {
    fn write(&self, line: &mut String, event: &Event<'_>) {
        let metadata = event.metadata();
        // Writing to a string cannot fail.
        let _ = write!(line, "{{\"ts\":\"{}\"", Rfc3339((self.wall_ms)()));
        member(line, "level", metadata.level());
        member(line, "target", &metadata.target());
        let mut fields = Fields { message: String::new(), rest: String::new(), has_id: false };
        event.record(&mut fields);
        member(line, "msg", &fields.message);
        member(line, "node", &self.node_name);
        if !fields.has_id
            && let Some(arrival) = Arrival::current()
        {
            member(line, "request_id", &arrival.request_id());
        }
        line.push_str(&fields.rest);
        line.push_str("}\n");
    }
}

/// Adds `,"name":"text"`.
fn member(line: &mut String, name: &str, value: &dyn fmt::Display) {
    let _ = write!(line, ",\"{name}\":\"");
    let _ = write!(Escaped(line), "{value}");
    line.push('"');
}

/// Escapes what it is given for the inside of a JSON string.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            match letter {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                // C0, DEL, C1 and the line separators that some readers take for line ends.
                '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                    write!(self.0, "\\u{:04x}", u32::from(letter))?;
                }
                letter => self.0.push(letter),
            }
        }
        Ok(())
    }
}

struct Fields {
    message: String,
    rest: String,
    has_id: bool,
}

impl Fields {
    fn plain(&mut self, field: &Field, value: &dyn fmt::Display) {
        let _ = write!(self.rest, ",\"{}\":{value}", field.name());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => {
                let _ = write!(self.message, "{value:?}");
            }
            name => {
                self.has_id |= name == "request_id";
                member(&mut self.rest, name, &format_args!("{value:?}"));
            }
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => {
                self.has_id |= name == "request_id";
                member(&mut self.rest, name, &value);
            }
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        member(&mut self.rest, field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for infinities and NaN.
        match value.is_finite() {
            true => self.plain(field, &value),
            false => member(&mut self.rest, field.name(), &value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field, &value);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::Ipv4Addr,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::http::pages::Wishes;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(work: impl FnOnce()) -> Vec<serde_json::Value> {
        let memory = Memory::default();
        let writer = memory.clone();
        let layer = Lines::new("node-1", Arc::new(|| 42), move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        let bytes = memory.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn an_event_is_one_line_of_json() {
        let found = lines(|| {
            tracing::warn!(
                target: "t", count = 3, good = true, text = "a\"b\nc\u{7}",
                shown = %"x", seen = ?"y",
                "hello {}", "you\n\u{1b}[0m"
            );
        });
        let expected = serde_json::json!({
            "ts": "1970-01-01T00:00:00.042Z", "level": "WARN", "target": "t",
            "msg": "hello you\n\u{1b}[0m", "node": "node-1", "count": 3, "good": true,
            "text": "a\"b\nc\u{7}", "shown": "x", "seen": "\"y\"",
        });
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_request_being_handled_is_named() {
        let found = lines(|| {
            let arrival =
                Arrival::new("request-7".to_owned(), Ipv4Addr::LOCALHOST.into(), Wishes::default());
            let work = arrival.during(async {
                tracing::info!("inside");
                tracing::info!(request_id = "other", "explicit");
            });
            futures::executor::block_on(work);
            tracing::info!("outside");
        });
        let ids: Vec<Option<&str>> = found.iter().map(|line| line["request_id"].as_str()).collect();
        assert_eq!(ids, [Some("request-7"), Some("other"), None]);
    }
}
