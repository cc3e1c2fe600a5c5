//! Server-sent events (WHATWG HTML §9.2), parsed from bytes with a bound on each event.

use super::Error;

/// An incremental parser. Only the `data` of each event is of interest here.
#[derive(Debug)]
pub struct SseParser {
    buffer: Vec<u8>,
    scanned: usize,
    data: String,
    has_data: bool,
    limit: usize,
}

impl SseParser {
    /// A parser that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), scanned: 0, data: String::new(), has_data: false, limit }
    }

    /// Adds bytes as they arrive.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next complete event, if one is there. Events without data (comments, priming
    /// events) are skipped.
    pub fn next_event(&mut self) -> Result<Option<String>, Error> {
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
                line_start = self.scanned;
                if has_data && !data.is_empty() {
                    break Some(data);
                }
                continue;
            }
            if let Some(value) = line.strip_prefix(b"data:") {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                let value = std::str::from_utf8(value).map_err(|_| Error::Garbage("not UTF-8".into()))?;
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
        if self.buffer.len() + self.data.len() > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream =
            b": hi\r\n\r\nid: 1\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\ndata: two\r\n\r\n";
        for cut in 1..stream.len() {
            let mut parser = SseParser::new(1000);
            let mut events = Vec::new();
            for chunk in stream.chunks(cut) {
                parser.push(chunk);
                while let Some(event) = parser.next_event().unwrap() {
                    events.push(event);
                }
            }
            assert_eq!(events, ["{\"a\":\n1}", "two"], "cut every {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_bounded() {
        let mut parser = SseParser::new(100);
        parser.push(&[b'x'; 101]);
        assert_eq!(parser.next_event(), Err(Error::TooLarge(100)));
    }
}
