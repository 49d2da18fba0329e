//! Splits a command into words, without a shell.

use std::fmt;
use std::str::FromStr;

/// What only a shell understands, if it is a word of its own and not quoted.
const SHELL_OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>&1"];

/// A command: the name or path of a program, and its arguments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CommandLine {
    /// The name of a program in `PATH`, or a path.
    pub program: String,
    /// The arguments.
    pub arguments: Vec<String>,
}

impl CommandLine {
    /// The last component of the program's path, which is safe to show to viewers. Arguments may contain passwords.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&self.program)
    }
}

/// Formats the name of the program only.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a command cannot be split into words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandLineError {
    /// There is no program.
    #[error("name a program, such as exec:ffmpeg -i input.mp4 -f mjpeg -")]
    Empty,
    /// A quotation does not end.
    #[error("a quotation mark {0} is not closed")]
    Unclosed(char),
    /// A backslash is the last character.
    #[error("a backslash must precede another character")]
    Backslash,
    /// An argument contains NUL, which no argument can.
    #[error("an argument contains a NUL character")]
    Nul,
    /// An operator of a shell.
    #[error("`{0}` would be passed to the program, because there is no shell; quote it, or use exec:sh -c '...'")]
    ShellOperator(String),
}

/// Words are separated by spaces, tabs and line ends. Quotation marks group characters: everything between single ones
/// is literal; between double ones, a backslash makes `"` and `\` literal. Outside of them, a backslash makes any
/// character literal. There are no variables, patterns or operators.
impl FromStr for CommandLine {
    type Err = CommandLineError;

    fn from_str(input: &str) -> Result<Self, Self::Err> {
        if input.contains('\0') {
            return Err(CommandLineError::Nul);
        }
        let mut words = split(input)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandLineError::Empty)?;
        Ok(Self { program, arguments: words.collect() })
    }
}

fn split(input: &str) -> Result<Vec<String>, CommandLineError> {
    let mut words = Vec::new();
    let mut chars = input.chars().peekable();
    loop {
        while chars.next_if(|char| char.is_ascii_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let (mut word, mut is_quoted) = (String::new(), false);
        while let Some(char) = chars.next_if(|char| !char.is_ascii_whitespace()) {
            is_quoted |= matches!(char, '\'' | '"' | '\\');
            match char {
                '\\' => word.push(chars.next().ok_or(CommandLineError::Backslash)?),
                '\'' | '"' => loop {
                    match chars.next().ok_or(CommandLineError::Unclosed(char))? {
                        end if end == char => break,
                        '\\' if char == '"' => match chars.next_if(|next| matches!(next, '"' | '\\')) {
                            Some(literal) => word.push(literal),
                            None => word.push('\\'),
                        },
                        other => word.push(other),
                    }
                },
                other => word.push(other),
            }
        }
        if !is_quoted && SHELL_OPERATORS.contains(&word.as_str()) {
            return Err(CommandLineError::ShellOperator(word));
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(input: &str) -> Result<Vec<String>, CommandLineError> {
        let CommandLine { program, arguments } = input.parse()?;
        Ok(std::iter::once(program).chain(arguments).collect())
    }

    #[test]
    fn words_are_split_at_blanks_outside_quotation_marks() {
        for (input, expected) in [
            ("ffmpeg", vec!["ffmpeg"]),
            ("  a \t b\nc ", vec!["a", "b", "c"]),
            (r#"sh -c 'a "b" \ | c'"#, vec!["sh", "-c", r#"a "b" \ | c"#]),
            (r#"a "b 'c' \"d\" \\ \n""#, vec!["a", r#"b 'c' "d" \ \n"#]),
            (r"a\ b c\'d \|", vec!["a b", "c'd", "|"]),
            (r#"a '' "" b"#, vec!["a", "", "", "b"]),
            ("a$HOME *.jpg a|b ~", vec!["a$HOME", "*.jpg", "a|b", "~"]),
            ("x'y'\"z\"", vec!["xyz"]),
        ] {
            assert_eq!(words(input).unwrap(), expected, "{input}");
        }
    }

    #[test]
    fn what_a_shell_would_do_is_refused_with_advice() {
        for operator in SHELL_OPERATORS {
            let error = words(&format!("a {operator} b")).unwrap_err();
            assert_eq!(error, CommandLineError::ShellOperator(operator.to_owned()));
            assert!(error.to_string().contains("exec:sh -c"), "{error}");
            assert_eq!(words(&format!("a '{operator}' b")).unwrap(), ["a", operator, "b"]);
        }
        assert_eq!(words(""), Err(CommandLineError::Empty));
        assert_eq!(words(" "), Err(CommandLineError::Empty));
        assert_eq!(words("''"), Err(CommandLineError::Empty));
        assert_eq!(words("a 'b"), Err(CommandLineError::Unclosed('\'')));
        assert_eq!(words("a \"b'"), Err(CommandLineError::Unclosed('"')));
        assert_eq!(words("a \\"), Err(CommandLineError::Backslash));
        assert_eq!(words("a \0"), Err(CommandLineError::Nul));
    }

    #[test]
    fn the_name_hides_the_path_and_the_arguments() {
        let name = |input: &str| input.parse::<CommandLine>().unwrap().to_string();
        assert_eq!(name("/usr/bin/ffmpeg -i rtsp://user:secret@camera/"), "ffmpeg");
        assert_eq!(name("./run"), "run");
        assert_eq!(name("dir/"), "dir/");
    }
}
