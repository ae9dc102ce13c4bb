//! Every fuzz target, by `fuzz/run`.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The number of executions of each target, in this many seconds per target.
pub(crate) fn fuzz(seconds: u64) -> Result<String, Box<dyn Error>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/run");
    let mut child = Command::new(&program).arg("--seconds").arg(seconds.to_string()).stdout(Stdio::piped()).spawn()?;
    let mut section = format!(
        "By libFuzzer, {seconds} s for each target, beginning with the inputs in `fuzz/seeds`; `host/src/fuzzing/` says which \
         properties hold for each input.\n\n| target | executions | found |\n|---|---|---|\n"
    );
    let mut targets = 0;
    for line in BufReader::new(child.stdout.take().ok_or("fuzz/run says nothing")?).lines() {
        let line = line?;
        println!("{line}");
        // `envelope: 123456 executions in 60 s, nothing found`
        let counted =
            line.split_once(": ").and_then(|(target, rest)| Some((target, rest.split_once(" executions in ")?.0)));
        if let Some((target, executions)) = counted {
            targets += 1;
            section.push_str(&format!("| {target} | {executions} | nothing |\n"));
        }
    }
    let status = child.wait()?;
    if status.success() && targets > 0 { Ok(section) } else { Err(format!("fuzz/run ended with {status}").into()) }
}
