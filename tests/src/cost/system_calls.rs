//! The record that strace writes.

use std::collections::BTreeMap;
use std::path::Path;

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `pwrite64`
    pub name: String,
    /// The file or socket of the first argument, as strace names it.
    pub file: Option<String>,
    /// The return value, where it is a number and the call has ended.
    pub returned: Option<u64>,
}

/// System calls in the order in which they began.
#[derive(Debug, Clone, Default)]
pub struct SystemCalls(pub Vec<Call>);

impl SystemCalls {
    /// Reads lines of `strace -f -y`. A call that another thread's call interrupted is on two lines.
    pub(super) fn parse(text: &str) -> Self {
        let (mut calls, mut unfinished) = (Vec::<Call>::new(), BTreeMap::<&str, usize>::new());
        for line in text.lines() {
            let Some((thread, rest)) = line.trim_start().split_once(' ') else { continue };
            let rest = rest.trim_start();
            if rest.starts_with("<... ") {
                if let Some(call) = unfinished.remove(thread).and_then(|place| calls.get_mut(place)) {
                    call.returned = returned(rest);
                }
                continue;
            }
            let Some((name, arguments)) = rest.split_once('(') else { continue };
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue;
            }
            if rest.ends_with("<unfinished ...>") {
                unfinished.insert(thread, calls.len());
            }
            calls.push(Call { name: name.to_owned(), file: file(arguments), returned: returned(rest) });
        }
        Self(calls)
    }

    /// The number of calls by name, in descending order.
    pub fn by_name(&self) -> Vec<(&str, usize)> {
        let mut counts = BTreeMap::<&str, usize>::new();
        for call in &self.0 {
            *counts.entry(&call.name).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Bytes that the calls wrote into files below a folder.
    pub fn written_below(&self, folder: &Path) -> u64 {
        let is_below = |call: &&Call| call.file.as_ref().is_some_and(|file| Path::new(file).starts_with(folder));
        let writes = self.0.iter().filter(|call| call.name.contains("write")).filter(is_below);
        writes.filter_map(|call| call.returned).sum()
    }
}

/// `12</data/store/db>, ...`
fn file(arguments: &str) -> Option<String> {
    let (number, rest) = arguments.split_once('<')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| rest.split_once('>').map(|(file, _)| file.to_owned())).flatten()
}

/// `... = 4096`, with an error's name after it where there was one.
fn returned(line: &str) -> Option<u64> {
    let (_, value) = line.rsplit_once(" = ")?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "100 epoll_wait(5<anon_inode:[eventpoll]>, [{events=EPOLLIN, data=0x1}], 1024, 14) = 1\n\
        100 recvfrom(9<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"\"..., 8192, 0, NULL, NULL) = 291\n\
        101 pwrite64(12</data/store/db>, \"\"..., 4096, 0 <unfinished ...>\n\
        100 futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1\n\
        101 <... pwrite64 resumed>)            = 4096\n\
        101 write(1</tmp/log>, \"\"..., 80)      = 80\n\
        101 pwritev(12</data/store/db>, [{iov_base=\"\"..., iov_len=100}], 1, 4096) = 100\n\
        100 recvfrom(9<TCP:[1]>, 0x7f, 8192, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)\n\
        100 +++ exited with 0 +++\n";

    #[test]
    fn each_call_counts_once_and_writes_have_their_bytes() {
        let calls = SystemCalls::parse(WRITTEN);
        assert_eq!(calls.0.len(), 7);
        assert_eq!(calls.by_name()[0], ("recvfrom", 2));
        assert_eq!(calls.written_below(Path::new("/data")), 4196);
        let failed = Call { name: "recvfrom".to_owned(), file: Some("TCP:[1]".to_owned()), returned: None };
        assert_eq!(calls.0.last(), Some(&failed));
    }
}
