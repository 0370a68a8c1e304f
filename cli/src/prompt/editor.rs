//! The line editor: prompt, colours, and when a line is finished.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, RwLock};

use reedline::{
    Color, ColumnarMenu, EditCommand, Emacs, ExternalPrinter, Highlighter, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, StyledText,
    ValidationResult, Validator, default_emacs_keybindings,
};

use super::catalog::Catalog;
use super::completion::SqlCompleter;
use super::history::DiscreetHistory;
use super::words::is_known;
use crate::render::cell::harmless;
use crate::sql_text::{Kind, is_complete, tokens};

/// Name of the completion menu.
const MENU: &str = "completion";

/// Makes the editor. Without a history file it remembers only while it lives.
///
/// `printer` is how others write while a line is being typed.
#[must_use]
pub fn editor(
    history: Option<&Path>,
    catalog: Arc<RwLock<Catalog>>,
    printer: ExternalPrinter<String>,
    colour: bool,
) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext]),
    );
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    let menu = ColumnarMenu::default().with_name(MENU);
    let mut editor = Reedline::create()
        .with_completer(Box::new(SqlCompleter::new(catalog)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(Finished))
        .with_highlighter(Box::new(Colours { used: colour }))
        .with_ansi_colors(colour)
        .use_bracketed_paste(true)
        .with_external_printer(printer);
    if let Some(path) = history {
        match DiscreetHistory::open(path) {
            Ok(history) => editor = editor.with_history(Box::new(history)),
            Err(error) => eprintln!("{}: {error}; this session is not remembered", path.display()),
        }
    }
    editor
}

/// Is the line one of the prompt's own commands? The words by which other prompts are left are too.
#[must_use]
pub fn is_command(line: &str) -> bool {
    line.trim_start().starts_with('\\') || matches!(line.trim(), "exit" | "quit")
}

/// A line is finished when its statement is, or when it is a backslash command.
struct Finished;

impl Validator for Finished {
    fn validate(&self, line: &str) -> ValidationResult {
        if is_command(line) || is_complete(line) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

/// Keywords, texts, numbers and comments, each in a colour.
struct Colours {
    used: bool,
}

impl Highlighter for Colours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        if line.trim_start().starts_with('\\') || !self.used {
            styled.push((Color::Default.normal(), line.to_owned()));
            return styled;
        }
        for token in tokens(line) {
            let text = &line[token.at.clone()];
            let style = match token.kind {
                Kind::Word if is_known(text) => Color::Blue.bold(),
                Kind::Text => Color::Green.normal(),
                Kind::Number | Kind::Placeholder => Color::Magenta.normal(),
                Kind::Comment => Color::DarkGray.normal(),
                _ => Color::Default.normal(),
            };
            styled.push((style, text.to_owned()));
        }
        styled
    }
}

/// What stands before the line: who, and in which namespace.
pub struct Who {
    name: String,
}

impl Who {
    /// `user@namespace`.
    #[must_use]
    pub fn new(user: &str, namespace: &str) -> Self {
        Who { name: harmless(&format!("{user}@{namespace}")) }
    }
}

impl Prompt for Who {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.name)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("... ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing like ",
        };
        Cow::Owned(format!("({failing}{}) ", search.term))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(line: &str) -> bool {
        matches!(Finished.validate(line), ValidationResult::Complete)
    }

    #[test]
    fn a_statement_goes_on_until_its_semicolon_and_a_command_is_one_line() {
        assert!(finished("SELECT 1;") && finished("\\d messages") && finished("") && finished("exit"));
        assert!(!finished("SELECT 1") && !finished("SELECT ';") && !finished("BEGIN; SELECT 1;"));
    }

    #[test]
    fn colours_leave_the_text_as_it_is() {
        for line in ["SELECT 'größe' -- x", "\\d x", "select 1"] {
            let styled = Colours { used: true }.highlight(line, 0);
            let text: String = styled.buffer.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(text, line);
        }
        assert!(Colours { used: true }.highlight("select 1", 0).buffer.len() > 1);
        assert_eq!(Colours { used: false }.highlight("select 1", 0).buffer.len(), 1);
    }
}
