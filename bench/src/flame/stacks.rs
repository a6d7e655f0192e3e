//! Stacks, as `perf script` prints them, put together by what they have in common.

use std::collections::BTreeMap;

/// A function, and what it called.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// Samples in it or below.
    pub(super) samples: u64,
    /// Samples in it itself.
    pub(super) own: u64,
    pub(super) calls: BTreeMap<String, Frame>,
}

/// The stacks of each service.
pub(super) struct Stacks {
    pub(super) services: Vec<(String, Frame)>,
}

/// Below this a worker of tokio's is at its work: how it was started tells nothing.
const WORKER: &str = "tokio::runtime::scheduler::multi_thread::worker::run";
/// A stack that was longer than what perf keeps of it, or is none.
const CUT: &str = "(cut off)";
/// How far it is followed into the kernel.
const DEEP: usize = 5;

/// What only hands on.
const HANDS_ON: [&str; 6] = [
    "core::",
    "alloc::boxed::",
    "[unknown]",
    "entry_SYSCALL",
    "do_syscall",
    "__x64_sys",
];

impl Stacks {
    /// Reads what `perf script -F comm,pid,tid,ip,sym` prints of these processes.
    pub(super) fn read(printed: &str, services: &[(String, u32)]) -> Self {
        let mut all: Vec<(String, Frame)> = services
            .iter()
            .map(|(name, _)| (name.clone(), Frame::default()))
            .collect();
        let mut stack: Vec<String> = Vec::new();
        let mut whose = None;
        // A blank line ends each sample.
        for line in printed.lines().chain([""]) {
            if line.trim().is_empty() {
                if let Some(place) = whose.take()
                    && let Some((_, root)) = all.get_mut::<usize>(place)
                {
                    root.add(&way(&stack));
                }
                stack.clear();
            } else if line.starts_with(char::is_whitespace) {
                let function = line
                    .trim_start()
                    .split_once(' ')
                    .map_or("", |(_, name)| name);
                stack.push(function.trim_end_matches(" (inlined)").to_owned());
            } else {
                let id = process_id(line);
                whose = services.iter().position(|(_, known)| Some(*known) == id);
            }
        }
        Self { services: all }
    }

    /// All of them.
    pub(super) fn samples(&self) -> u64 {
        self.services.iter().map(|(_, root)| root.samples).sum()
    }
}

impl Frame {
    fn add(&mut self, way: &[String]) {
        self.samples += 1;
        match way.split_first() {
            Some((name, rest)) => self.calls.entry(name.clone()).or_default().add(rest),
            None => self.own += 1,
        }
    }

    /// Tells of every function below, in which samples ended, with their number.
    pub(super) fn each(&self, tell: &mut impl FnMut(&str, u64)) {
        for (name, frame) in &self.calls {
            tell(name, frame.own);
            frame.each(tell);
        }
    }
}

/// `name of a thread 12/34`
fn process_id(line: &str) -> Option<u32> {
    let ids = line.split_whitespace().last()?;
    ids.split('/').next()?.parse().ok()
}

/// From the outermost to the innermost, in short names, without what only hands on.
fn way(stack: &[String]) -> Vec<String> {
    let worker = stack.iter().rposition(|name| name.starts_with(WORKER));
    let known = match worker {
        Some(worker) => &stack[..worker],
        None => stack,
    };
    let mut way: Vec<String> = Vec::new();
    if worker.is_none() && stack.last().is_some_and(|name| name == "[unknown]") {
        way.push(CUT.to_owned());
    }
    let mut deep = 0;
    for (place, name) in known.iter().enumerate().rev() {
        let name = short(name);
        let innermost = place == 0;
        if (HANDS_ON.iter().any(|of| name.starts_with(of)) && !innermost)
            || way.last() == Some(&name)
        {
            continue;
        }
        deep = if name.contains("::") { 0 } else { deep + 1 };
        if deep <= DEEP {
            way.push(name);
        }
    }
    way
}

/// A function's name without type arguments, closures, and the trait that it is of:
/// `<a::B<C> as d::E>::f::{{closure}}` is `a::B::f`.
pub(super) fn short(name: &str) -> String {
    let name = name.replace("::{{closure}}", "").replace("{closure#0}", "");
    let name = match inner_impl(&name) {
        Some((of, rest)) => {
            format!("{}{rest}", short(type_of(of)))
        }
        None => name,
    };
    let mut depth = 0_u32;
    let mut kept = String::new();
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(letter),
            _ => {}
        }
    }
    kept.replace("::::", "::").trim_matches(':').to_owned()
}

/// The type of `type as trait`.
fn type_of(inner: &str) -> &str {
    let mut depth = 0_u32;
    for (place, letter) in inner.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 && inner[place..].starts_with(" as ") => return &inner[..place],
            _ => {}
        }
    }
    inner
}

/// `<inner>rest`, whose first bracket ends before the rest.
fn inner_impl(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_prefix('<')?;
    let mut depth = 1_u32;
    for (place, letter) in inner.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..place], &inner[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        for (long, wanted) in [
            (
                "tokio::runtime::task::raw::poll",
                "tokio::runtime::task::raw::poll",
            ),
            (
                "<kit::deadline::WithDeadline<S,F> as tower_service::Service<http::Request<B>>>::call::{{closure}}",
                "kit::deadline::WithDeadline::call",
            ),
            (
                "hyper::proto::h1::dispatch::Dispatcher<D,Bs,I,T>::poll_loop",
                "hyper::proto::h1::dispatch::Dispatcher::poll_loop",
            ),
            (
                "<std::sys::thread::unix::Thread>::new::thread_start",
                "std::sys::thread::unix::Thread::new::thread_start",
            ),
            (
                "<<a::B<T> as c::D>::call::E<T> as f::G>::call",
                "a::B::call::E::call",
            ),
            ("do_epoll_wait", "do_epoll_wait"),
        ] {
            assert_eq!(short(long), wanted);
        }
    }

    #[test]
    fn stacks_are_put_together() {
        let printed = "\
tokio-rt-worker 7/8 \n\
\t         1 write\n\
\t         2 <a::B as c::D>::f::{{closure}}\n\
\t         3 core::ops::function::FnOnce::call_once\n\
\t         4 tokio::runtime::scheduler::multi_thread::worker::run\n\
\t         5 clone3\n\
\n\
worker two 7/9 \n\
\t         2 a::B::f\n\
\t         4 tokio::runtime::scheduler::multi_thread::worker::run\n\
\n\
other 5/5 \n\
\t         1 write\n\
\n\
tokio-rt-worker 7/8 \n\
\t         1 write\n\
\tffffffffffffffff [unknown]\n";
        let stacks = Stacks::read(printed, &[("gateway".to_owned(), 7)]);
        assert_eq!(stacks.samples(), 3);
        let (_, root) = &stacks.services[0];
        let names: Vec<&String> = root.calls.keys().collect();
        assert_eq!(names, [CUT, "a::B::f"]);
        let frame = &root.calls["a::B::f"];
        assert_eq!((frame.samples, frame.own), (2, 1));
        assert_eq!(frame.calls["write"].own, 1);
        let mut all = Vec::new();
        root.each(&mut |name, own| all.push((name.to_owned(), own)));
        assert_eq!(all.iter().map(|(_, own)| own).sum::<u64>(), 3);
    }
}
