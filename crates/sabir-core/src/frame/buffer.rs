use bytes::Bytes;

/// Unread bytes: a piece of the body as it came, or, once a frame spans two pieces, a copy of both.
#[derive(Default)]
pub(super) struct Buffer {
    shared: Bytes,
    owned: Vec<u8>,
    /// How many bytes of the one that is not empty are read.
    read: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, chunk: Bytes) {
        let unread = self.unread().len();
        if chunk.is_empty() {
            return;
        }
        if unread == 0 {
            self.owned.clear();
            self.shared = chunk;
            self.read = 0;
        } else if self.owned.is_empty() {
            self.owned.reserve(unread + chunk.len());
            self.owned.extend_from_slice(&self.shared[self.read..]);
            self.owned.extend_from_slice(&chunk);
            self.shared.clear();
            self.read = 0;
        } else {
            // Never moves more bytes than were read since the last time, so each byte is paid for once.
            if self.read >= unread {
                self.owned.copy_within(self.read.., 0);
                self.owned.truncate(unread);
                self.read = 0;
            }
            self.owned.extend_from_slice(&chunk);
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        &self.whole()[self.read..]
    }

    /// Marks the first `count` unread bytes as read and returns them. They stay in place until the next push.
    pub(super) fn take(&mut self, count: usize) -> &[u8] {
        let start = self.read;
        self.read += count;
        &self.whole()[start..self.read]
    }

    fn whole(&self) -> &[u8] {
        if self.owned.is_empty() { &self.shared } else { &self.owned }
    }
}
