//! Log lines to standard error, as logfmt or JSON. `error`: somebody must act; `warn`: somebody should look; `info`: starts,
//! stops and the like; `debug`: single requests.

use std::any::Any;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Longest value written: a query or a label may be of any length.
const VALUE_MAX_CHARS: usize = 1024;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Logfmt,
    Json,
}

/// Sends the log of this process to standard error, panics included. Called once, first of all.
pub fn init(level: LevelFilter, format: Format) {
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match format {
        Format::Logfmt => builder.event_format(Logfmt).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = payload_text(panic.payload());
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, %backtrace, "panic: {payload}");
    }));
}

/// What `panic!` was given: a literal or a formatted text.
fn payload_text(payload: &dyn Any) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("")
}

/// `time=... level=info target=silverback::server msg="..." key=value`
struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        writer.write_str("time=")?;
        SystemTime.format_time(&mut writer)?;
        let level = metadata.level().as_str().to_ascii_lowercase();
        write!(writer, " level={level} target={}", metadata.target())?;
        let mut pairs = Pairs::default();
        event.record(&mut pairs);
        if !pairs.message.is_empty() {
            writer.write_str(" msg=")?;
            put_value(&mut writer, &pairs.message)?;
        }
        writeln!(writer, "{}", pairs.text)
    }
}

/// The fields of an event, the message apart.
#[derive(Default)]
struct Pairs {
    message: String,
    text: String,
}

impl Pairs {
    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
            return;
        }
        // Writing to a string cannot fail.
        let _ = write!(self.text, " {}=", field.name());
        let _ = put_value(&mut self.text, &value);
    }
}

impl Visit for Pairs {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// Bare if that is unmistakable, else quoted with everything escaped that is not printable.
fn put_value(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let is_bare = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    let end = value.char_indices().nth(VALUE_MAX_CHARS).map_or(value.len(), |(index, _)| index);
    let shown = &value[..end];
    if end == value.len() && !value.is_empty() && value.chars().all(is_bare) {
        return out.write_str(shown);
    }
    out.write_char('"')?;
    for c in shown.chars() {
        match c {
            '\'' => out.write_char('\'')?,
            c => write!(out, "{}", c.escape_debug())?,
        }
    }
    out.write_str(if end < value.len() { "…\"" } else { "\"" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn line(log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .event_format(Logfmt)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_of_pairs() {
        let line = line(|| tracing::info!(address = %"127.0.0.1:1", n = 3, "it\nlistens"));
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("time=2") && time.ends_with('Z'), "{time}");
        assert!(rest.starts_with("level=info target=silverback::telemetry::logs"), "{rest}");
        assert!(rest.ends_with(" msg=\"it\\nlistens\" address=127.0.0.1:1 n=3\n"), "{rest}");
    }

    #[test]
    fn values_cannot_forge_lines_or_grow_without_bound() {
        let line = line(|| tracing::warn!(query = "a=\"b\"\n\u{1b}[31m", long = "x".repeat(5000)));
        assert!(line.contains(r#"query="a=\"b\"\n\u{1b}[31m""#), "{line}");
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.len() < 1500 && line.ends_with("x…\"\n"));
    }
}
