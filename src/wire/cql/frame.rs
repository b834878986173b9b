//! Frames of the protocol: numbers are big-endian, texts and bytes have their length in front.

/// A frame in the making.
pub(super) struct Writer {
    frame: Vec<u8>,
}

impl Writer {
    /// Version 4, no flags, stream 0.
    pub(super) fn new(operation: u8) -> Self {
        Self { frame: vec![4, 0, 0, 0, operation, 0, 0, 0, 0] }
    }

    pub(super) fn byte(&mut self, n: u8) {
        self.frame.push(n);
    }

    pub(super) fn short(&mut self, n: u16) {
        self.frame.extend(n.to_be_bytes());
    }

    /// For our own short texts.
    pub(super) fn string(&mut self, text: &'static str) {
        self.short(u16::try_from(text.len()).unwrap_or(u16::MAX));
        self.frame.extend(text.as_bytes());
    }

    pub(super) fn long_string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        // One that is too long makes the frame too long, which `finish` sees.
        self.frame.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.frame.extend(bytes);
    }

    /// The frame; `None` where it is too long to say.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        let length = i32::try_from(self.frame.len() - 9).ok()?;
        self.frame[5..9].copy_from_slice(&length.to_be_bytes());
        Some(self.frame)
    }
}

/// Reads an answer; everything is `None` where it is too short.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    pub(super) fn string(&mut self) -> Option<String> {
        let length = self.short()?;
        Some(String::from_utf8_lossy(self.take(length.into())?).into_owned())
    }

    /// A value; `None` within for NULL.
    pub(super) fn value(&mut self) -> Option<Option<&'a [u8]>> {
        match usize::try_from(self.int()?) {
            Ok(length) => Some(Some(self.take(length)?)),
            Err(_) => Some(None),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// The body without what a server may put before it: tracing id, warnings, its own values. Compression was not asked for.
pub(super) fn without_extras(flags: u8, mut body: Vec<u8>) -> Option<Vec<u8>> {
    const COMPRESSED: u8 = 0x01;
    const TRACED: u8 = 0x02;
    const OWN_VALUES: u8 = 0x04;
    const WARNINGS: u8 = 0x08;
    if flags & COMPRESSED != 0 {
        return None;
    }
    let mut reader = Reader::new(&body);
    if flags & TRACED != 0 {
        reader.take(16)?;
    }
    if flags & WARNINGS != 0 {
        for _ in 0..reader.short()? {
            reader.string()?;
        }
    }
    if flags & OWN_VALUES != 0 {
        for _ in 0..reader.short()? {
            reader.string()?;
            reader.value()?;
        }
    }
    let extras = body.len() - reader.rest.len();
    body.drain(..extras);
    Some(body)
}
