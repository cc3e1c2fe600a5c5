//! Server-sent events (WHATWG HTML §9.2), parsed from bytes with a bound on each event.

use super::Error;

/// One event that has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its type: `message` where none was named.
    pub name: String,
    /// Its data.
    pub data: String,
}

/// An incremental parser.
#[derive(Debug)]
pub struct SseParser {
    buffer: Vec<u8>,
    scanned: usize,
    name: String,
    data: String,
    has_data: bool,
    limit: usize,
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
        }
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
    fn an_event_without_end_is_bounded() {
        let mut parser = SseParser::new(100);
        parser.push(&[b'x'; 101]);
        assert_eq!(parser.next_event(), Err(Error::TooLarge(100)));
    }
}
