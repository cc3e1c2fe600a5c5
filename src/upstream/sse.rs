//! Server-sent events (WHATWG HTML §9.2), parsed from bytes with a bound on each event.

use super::Error;
use std::time::Duration;

/// Longest event id that is kept: it goes back in a header.
const LONGEST_ID: usize = 512;

/// One event that has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its type: `message` where none was named.
    pub name: String,
    /// Its data.
    pub data: String,
}

/// An incremental parser: the events that have data, and what a reconnection needs.
#[derive(Debug)]
pub struct SseParser {
    buffer: Vec<u8>,
    scanned: usize,
    name: String,
    data: String,
    has_data: bool,
    limit: usize,
    /// The id of the event that is being read.
    id: Option<String>,
    last_id: Option<String>,
    retry: Option<Duration>,
}

impl SseParser {
    /// A parser that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            scanned: 0,
            name: String::new(),
            data: String::new(),
            has_data: false,
            limit,
            id: None,
            last_id: None,
            retry: None,
        }
    }

    /// The id of the last whole event that had one.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server wants a reconnection to wait.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Forgets an unfinished event, before the bytes of another connection.
    pub fn restart(&mut self) {
        self.buffer.clear();
        self.scanned = 0;
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.id = None;
    }

    /// Adds bytes as they arrive.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event, if one is there. Events without data (comments, priming
    /// events) are skipped.
    pub fn next_event(&mut self) -> Result<Option<SseEvent>, Error> {
        let mut line_start = 0;
        let found = loop {
            let rest = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(newline) = memchr::memchr(b'\n', rest) else { break None };
            let line_end = self.scanned + newline;
            let line = self.buffer.get(line_start..line_end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            self.scanned = line_end + 1;
            if line.is_empty() {
                self.last_id = self.id.take().or(self.last_id.take());
                let has_data = std::mem::take(&mut self.has_data);
                let data = std::mem::take(&mut self.data);
                let name = std::mem::take(&mut self.name);
                line_start = self.scanned;
                if has_data && !data.is_empty() {
                    let name = if name.is_empty() { "message".into() } else { name };
                    break Some(SseEvent { name, data });
                }
                continue;
            }
            if let Some(value) = field(line, b"event:")? {
                value.clone_into(&mut self.name);
            } else if let Some(value) = field(line, b"data:")? {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            } else if let Some(value) = field(line, b"id:")? {
                self.id = (value.len() <= LONGEST_ID && !value.contains('\0')).then(|| value.to_owned());
            } else if let Some(value) = field(line, b"retry:")? {
                self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry);
            }
            line_start = self.scanned;
        };
        self.buffer.drain(..line_start);
        self.scanned -= line_start;
        if found.is_none() {
            // The unfinished line was searched to its end: continue there.
            self.scanned = self.buffer.len();
        }
        if self.buffer.len() + self.name.len() + self.data.len() > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        Ok(found)
    }
}

/// The value of a field, if the line is one of that name.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Result<Option<&'l str>, Error> {
    let Some(value) = line.strip_prefix(name) else { return Ok(None) };
    let value = value.strip_prefix(b" ").unwrap_or(value);
    std::str::from_utf8(value).map(Some).map_err(|_| Error::Garbage("not UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream =
            b": hi\r\n\r\nid: 1\ndata:\n\nevent: endpoint\ndata: {\"a\":\ndata: 1}\n\ndata: two\r\n\r\n";
        for cut in 1..stream.len() {
            let mut parser = SseParser::new(1000);
            let mut events = Vec::new();
            for chunk in stream.chunks(cut) {
                parser.push(chunk);
                while let Some(event) = parser.next_event().unwrap() {
                    events.push((event.name, event.data));
                }
            }
            let events: Vec<_> = events.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
            let wanted = [("endpoint", "{\"a\":\n1}"), ("message", "two")];
            assert_eq!(events, wanted, "cut every {cut}");
        }
    }

    #[test]
    fn what_a_reconnection_needs_is_kept() {
        let mut parser = SseParser::new(1000);
        parser.push(b"id: 7\nretry: 1500\ndata:\n\ndata: x\n\nid: 8\nda");
        assert_eq!(parser.next_event().unwrap().unwrap().data, "x");
        assert_eq!(parser.next_event().unwrap(), None);
        assert_eq!(parser.last_id(), Some("7"), "the event of id 8 is not whole");
        assert_eq!(parser.retry(), Some(Duration::from_millis(1500)));
        parser.restart();
        parser.push(b"id: 9\ndata: y\n\n");
        assert_eq!(parser.next_event().unwrap().unwrap().data, "y");
        assert_eq!(parser.last_id(), Some("9"));
    }

    #[test]
    fn an_event_without_end_is_bounded() {
        let mut parser = SseParser::new(100);
        parser.push(&[b'x'; 101]);
        assert_eq!(parser.next_event(), Err(Error::TooLarge(100)));
    }
}
