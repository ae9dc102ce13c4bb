//! The counts of callgrind: instructions of each function itself, and of each call from one function to another.

use std::collections::HashMap;

/// Instructions, by function and by call.
#[derive(Debug, Default)]
pub struct Profile {
    functions: Vec<Function>,
    calls: Vec<Arc>,
}

/// One function, in one object file.
#[derive(Debug, Default)]
struct Function {
    name: String,
    own: u64,
}

/// All calls from one function to another.
#[derive(Debug)]
struct Arc {
    from: usize,
    to: usize,
    times: u64,
    /// Instructions of the callee and of everything that it called.
    instructions: u64,
}

/// Calls of a set of functions from outside the set, and their cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entered {
    /// Calls from a function outside the set.
    pub times: u64,
    /// Instructions of these calls, with everything that they called.
    pub instructions: u64,
}

impl Profile {
    /// Reads a file in callgrind's format. The error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser::default();
        for (place, line) in text.lines().enumerate() {
            parser.line(line).ok_or_else(|| format!("line {}: {line:?} is not as expected", place + 1))?;
        }
        Ok(parser.profile)
    }

    /// All instructions.
    pub fn total(&self) -> u64 {
        self.functions.iter().map(|function| function.own).sum()
    }

    /// Instructions of these functions themselves, without their callees.
    pub fn own(&self, mut is_one: impl FnMut(&str) -> bool) -> u64 {
        self.functions.iter().filter(|function| is_one(&function.name)).map(|function| function.own).sum()
    }

    /// Calls of these functions from others. A function without a caller, such as a thread's first, does not count.
    pub fn entered(&self, mut is_one: impl FnMut(&str) -> bool) -> Entered {
        let inside: Vec<bool> = self.functions.iter().map(|function| is_one(&function.name)).collect();
        let inside = |place: usize| inside.get(place).copied().unwrap_or_default();
        let from_outside = self.calls.iter().filter(|call| inside(call.to) && !inside(call.from));
        from_outside.fold(Entered::default(), |sum, call| Entered {
            times: sum.times + call.times,
            instructions: sum.instructions + call.instructions,
        })
    }
}

/// Reads line by line. Names are written once, with a number that stands for them afterwards: `fn=(3) main`, then
/// `fn=(3)`.
#[derive(Default)]
struct Parser {
    profile: Profile,
    functions: HashMap<String, usize>,
    current: usize,
    callee: usize,
    /// Calls whose cost is on the next line.
    times: Option<u64>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(name) = line.strip_prefix("fn=") {
            self.current = self.function(name)?;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            self.callee = self.function(name)?;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            self.times = Some(calls.split(' ').next()?.parse().ok()?);
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            self.cost(line)?;
        }
        // Other lines describe files, objects and the run as a whole.
        Some(())
    }

    fn function(&mut self, name: &str) -> Option<usize> {
        let (id, name) = name.split_once(')')?;
        if let Some(known) = self.functions.get(id) {
            return Some(*known);
        }
        let place = self.profile.functions.len();
        self.profile.functions.push(Function { name: name.trim().to_owned(), own: 0 });
        self.functions.insert(id.to_owned(), place);
        Some(place)
    }

    /// `LINE INSTRUCTIONS`; without the number where there were none.
    fn cost(&mut self, line: &str) -> Option<()> {
        let instructions = line.split(' ').nth(1).map_or(Some(0), |count| count.parse().ok())?;
        match self.times.take() {
            None => self.profile.functions.get_mut(self.current)?.own += instructions,
            Some(times) => {
                let (from, to) = (self.current, self.callee);
                self.profile.calls.push(Arc { from, to, times, instructions });
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTS: &str = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\npositions: line\nevents: Ir\nsummary: 100\n\n\
        ob=(1) /bin/server\nfl=(1) ???\nfn=(1) main\n0 10\ncob=(2) /lib/c.so\ncfi=(2) ???\ncfn=(2) store::put\ncalls=3 0\n0 60\n\
        cfn=(3) malloc\ncalls=2 0\n+0 8\n\nob=(2)\nfl=(2)\nfn=(2)\n0 40\ncfn=(4) store::sync\ncalls=1 0\n* 20\n\nfn=(4)\n5 15\n* 1\n\
        cfn=(3)\ncalls=1 0\n0 4\n\nfn=(3)\n0 12\n\ntotals: 78\n";

    #[test]
    fn a_function_has_its_own_instructions_and_a_call_all_that_it_led_to() {
        let profile = Profile::parse(COUNTS).unwrap();
        assert_eq!(profile.total(), 78);
        assert_eq!(profile.own(|name| name.starts_with("store::")), 56);
        let store = profile.entered(|name| name.starts_with("store::"));
        assert_eq!(store, Entered { times: 3, instructions: 60 }, "a call within the store counts once");
        assert_eq!(profile.entered(|name| name == "malloc"), Entered { times: 3, instructions: 12 });
        assert_eq!(profile.own(|name| name == "store::put"), 40);
    }

    #[test]
    fn a_line_that_is_not_as_expected_is_named() {
        assert!(Profile::parse("fn=main\n").unwrap_err().contains("line 1"));
        assert!(Profile::parse("fn=(1) a\n0 x\n").unwrap_err().contains("line 2"));
    }
}
