//! What the demo looks like: chapters, steps, the QR code, and questions.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result, ensure};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::output;

/// The screen, and how many steps answered as they must.
#[derive(Debug)]
pub(super) struct Terminal {
    colours: bool,
    passed: usize,
    failed: usize,
}

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
/// Pure white on pure black, whatever the terminal's theme is: a camera needs the contrast.
const QR_COLOURS: &str = "\u{1b}[38;5;231;48;5;16m";
const PLAIN: &str = "\u{1b}[0m";
/// The width of a column of backup codes.
const COLUMN: usize = 25;

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            colours: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            passed: 0,
            failed: 0,
        }
    }

    /// How many steps answered as they must.
    pub(super) const fn passed(&self) -> usize {
        self.passed
    }

    /// How many did not.
    pub(super) const fn failed(&self) -> usize {
        self.failed
    }

    pub(super) fn say(&self, line: impl AsRef<str>) {
        output::say(line);
    }

    /// Begins a part of the story.
    pub(super) fn chapter(&self, title: &str) {
        self.say(format!("\n{}", self.painted(BOLD, title)));
    }

    /// A step answered as it must.
    pub(super) fn pass(&mut self, what: &str) {
        self.passed += 1;
        self.say(format!("  {} {what}", self.painted(GREEN, "✓")));
    }

    /// A step did not.
    pub(super) fn fail(&mut self, what: &str, expected: &str, answered: &str) {
        self.failed += 1;
        let mark = self.painted(RED, "✗");
        self.say(format!(
            "  {mark} {what}: expected {expected}, and the answer was {answered}"
        ));
    }

    /// Something worth knowing that is no step.
    pub(super) fn note(&self, text: &str) {
        self.say(self.painted(DIM, &format!("    {text}")));
    }

    /// Draws a QR code, light on dark.
    pub(super) fn draw_qr(&self, text: &str) -> Result<()> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L)
            .context("the URI is too long for a QR code")?;
        // The blocks are the light modules: then it is right on dark terminals without colours too.
        let drawn = code
            .render::<Dense1x2>()
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build();
        self.say("");
        for line in drawn.lines() {
            self.say(format!("    {}", self.painted(QR_COLOURS, line)));
        }
        self.say("");
        Ok(())
    }

    /// Prints a list of backup codes as a person would: numbered, in two columns, to be crossed out.
    pub(super) fn print_codes(&self, codes: &[String]) {
        let width = 2 * COLUMN + 1;
        let line = "\u{2500}".repeat(width);
        let title = "Backup codes: each counts once. Keep the last.";
        self.say(format!("\n    \u{250c}{line}\u{2510}"));
        self.say(format!("    \u{2502}{title:^width$}\u{2502}"));
        let half = codes.len().div_ceil(2);
        for row in 0..half {
            let cell = |place: usize| {
                let code = codes.get(place);
                code.map_or_else(String::new, |code| format!("{:>4}. {code}", place + 1))
            };
            let (left, right) = (cell(row), cell(row + half));
            self.say(format!(
                "    \u{2502}{left:<COLUMN$} {right:<COLUMN$}\u{2502}"
            ));
        }
        self.say(format!("    \u{2514}{line}\u{2518}\n"));
    }

    /// Asks for a line.
    pub(super) async fn ask(&self, question: &str) -> Result<String> {
        let mut stdout = io::stdout().lock();
        let _ = write!(stdout, "  ? {question}: ");
        let _ = stdout.flush();
        drop(stdout);
        // Reading blocks, and the connections want to be kept alive meanwhile.
        let reading = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|count| (count, line))
        });
        let (count, line) = reading
            .await?
            .context("nothing can be read from standard input")?;
        ensure!(
            count > 0,
            "standard input has ended: `--interactive` needs somebody to type codes"
        );
        Ok(line.trim().to_owned())
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("{colour}{text}{PLAIN}")
        } else {
            text.to_owned()
        }
    }
}
