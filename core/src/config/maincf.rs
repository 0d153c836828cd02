//! Postfix's main.cf (postconf(5)): lines to parameters, and macros in their values.

use std::collections::BTreeMap;
use std::fmt;

/// Parameters by name, not yet expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MainCf(BTreeMap<String, Entry>);

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    text: String,
    /// Where it stands in the file, if it does.
    line: Option<usize>,
}

/// A parameter that a file sets twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridden {
    /// The line that sets it again.
    pub line: usize,
    /// The parameter.
    pub name: String,
    /// The earlier value, which is lost.
    pub value: String,
}

impl MainCf {
    /// Reads the text of a file. Where a parameter stands twice the later one counts.
    ///
    /// A line that begins with white space continues the one before it; comments and empty lines
    /// may stand in between.
    pub fn parse(text: &str) -> Result<(Self, Vec<Overridden>), SyntaxError> {
        let mut logical: Vec<(usize, String)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            match logical.last_mut() {
                Some((_, begun)) if line.starts_with(|c: char| c.is_ascii_whitespace()) => {
                    begun.push_str(line);
                }
                _ => logical.push((index + 1, line.to_owned())),
            }
        }
        let (mut parameters, mut overridden) = (BTreeMap::new(), Vec::new());
        for (line, text) in logical {
            let (name, value) = text.split_once('=').ok_or_else(|| SyntaxError {
                line,
                text: text.trim().to_owned(),
                problem: Problem::MissingEqual,
            })?;
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if name.is_empty() {
                let text = text.trim().to_owned();
                return Err(SyntaxError { line, text, problem: Problem::MissingName });
            }
            let entry = Entry { text: value, line: Some(line) };
            if let Some(old) = parameters.insert(name.clone(), entry) {
                overridden.push(Overridden { line, name, value: old.text });
            }
        }
        Ok((Self(parameters), overridden))
    }

    /// Sets a parameter, whatever the file says.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), Entry { text: value.to_owned(), line: None });
    }

    /// Tells whether a parameter is set, or was evaluated before.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Tells the line of the file that a parameter's value stands on.
    pub fn line(&self, name: &str) -> Option<usize> {
        self.0.get(name)?.line
    }

    /// Evaluates a parameter, with `default` where it is not set.
    ///
    /// From then on the result is what others see under this name. So a value may refer to
    /// parameters that are set or were evaluated before.
    ///
    /// # Errors
    ///
    /// Macros that are malformed or endless.
    pub fn evaluate(&mut self, name: &str, default: &str) -> Result<String, MacroError> {
        let text = self.0.get(name).map_or(default, |entry| &entry.text);
        let mut value = String::new();
        self.expand(text, &mut value, &mut Budget { depth: DEPTH, macros: MACROS })?;
        match self.0.get_mut(name) {
            Some(entry) => entry.text.clone_from(&value),
            None => self.set(name, &value),
        }
        Ok(value)
    }

    /// Appends `text` with all macros replaced.
    fn expand(&self, text: &str, out: &mut String, left: &mut Budget) -> Result<(), MacroError> {
        left.depth = left.depth.checked_sub(1).ok_or(MacroError::TooDeep)?;
        let mut rest = text;
        while let Some((plain, behind)) = rest.split_once('$') {
            out.push_str(plain);
            left.macros = left.macros.checked_sub(1).ok_or(MacroError::TooMany)?;
            if out.len() > SIZE {
                return Err(MacroError::TooMany);
            }
            rest = if let Some(escaped) = behind.strip_prefix('$') {
                out.push('$');
                escaped
            } else if behind.starts_with('{') || behind.starts_with('(') {
                let (body, behind) = balanced(behind)?;
                self.expand_braced(body, out, left)?;
                behind
            } else {
                let (name, behind) = split_name(behind);
                if name.is_empty() {
                    return Err(MacroError::Malformed);
                }
                self.expand_name(name, out, left)?;
                behind
            };
        }
        out.push_str(rest);
        left.depth += 1;
        Ok(())
    }

    fn expand_name(
        &self,
        name: &str,
        out: &mut String,
        left: &mut Budget,
    ) -> Result<(), MacroError> {
        match self.0.get(name) {
            Some(entry) => self.expand(&entry.text, out, left),
            None => Ok(()),
        }
    }

    /// Appends what stands in braces: a name, or a choice.
    fn expand_braced(
        &self,
        body: &str,
        out: &mut String,
        left: &mut Budget,
    ) -> Result<(), MacroError> {
        let body = body.trim_start();
        let (holds, branches) = if body.starts_with('{') {
            let (holds, rest) = self.comparison(body, left)?;
            if rest.is_empty() {
                out.push_str(if holds { "bool:true" } else { "" });
                return Ok(());
            }
            (holds, rest)
        } else {
            let (name, rest) = split_name(body);
            if name.is_empty() {
                return Err(MacroError::Malformed);
            }
            let rest = rest.trim_start();
            if rest.is_empty() {
                return self.expand_name(name, out, left);
            }
            let mut value = String::new();
            self.expand_name(name, &mut value, left)?;
            (!value.is_empty(), rest)
        };
        let chosen = match (split_branches(branches)?, holds) {
            ((Some(then), _), true) => then,
            ((_, Some(otherwise)), false) => otherwise,
            _ => "",
        };
        self.expand(chosen, out, left)
    }

    /// Evaluates `{a} operator {b}`; returns what is behind it.
    fn comparison<'a>(
        &self,
        text: &'a str,
        budget: &mut Budget,
    ) -> Result<(bool, &'a str), MacroError> {
        let (left, rest) = balanced(text)?;
        let operator = rest.trim_start();
        let end = operator.find('{').ok_or(MacroError::Malformed)?;
        let (right, rest) = balanced(&operator[end..])?;
        let mut expanded = |text: &str| {
            let mut value = String::new();
            self.expand(text.trim(), &mut value, budget).map(|()| value)
        };
        let (left, right) = (expanded(left)?, expanded(right)?);
        let operator = operator[..end].trim_end();
        let (operator, order) = match operator.strip_suffix("level") {
            Some(operator) => (operator, level(&left)?.cmp(&level(&right)?)),
            None => match (left.parse::<u64>(), right.parse::<u64>()) {
                (Ok(left), Ok(right)) => (operator, left.cmp(&right)),
                _ => (operator, left.cmp(&right)),
            },
        };
        let holds = match operator {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            _ => return Err(MacroError::Malformed),
        };
        Ok((holds, rest.trim_start()))
    }
}

/// How deep macros may be nested; the reference has the same bound.
const DEPTH: usize = 100;

/// How many macros one value may lead to: each level can double their number.
const MACROS: usize = 10_000;

/// How long an expanded value may become before another macro.
const SIZE: usize = 1 << 20;

/// What is left of these bounds.
struct Budget {
    depth: usize,
    macros: usize,
}

/// Splits a parameter's name off.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    text.split_at(end.unwrap_or(text.len()))
}

/// Splits off what stands between the bracket that the text begins with and its counterpart.
fn balanced(text: &str) -> Result<(&str, &str), MacroError> {
    let (open, close) = if text.starts_with('(') { (b'(', b')') } else { (b'{', b'}') };
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        if byte == open {
            depth += 1;
        } else if byte == close {
            depth -= 1;
            if depth == 0 {
                return Ok((&text[1..index], &text[index + 1..]));
            }
        }
    }
    Err(MacroError::Unbalanced)
}

/// Splits `?then`, `:otherwise` or `?{then}:{otherwise}`.
fn split_branches(text: &str) -> Result<(Option<&str>, Option<&str>), MacroError> {
    if let Some(otherwise) = text.strip_prefix(':') {
        return Ok((None, Some(branch(otherwise)?.0)));
    }
    let (then, rest) = branch(text.strip_prefix('?').ok_or(MacroError::Malformed)?)?;
    match rest.trim_start().strip_prefix(':') {
        Some(otherwise) => Ok((Some(then), Some(branch(otherwise)?.0))),
        None if rest.trim_start().is_empty() => Ok((Some(then), None)),
        None => Err(MacroError::Malformed),
    }
}

/// Splits off a branch: what stands in braces, or else everything.
fn branch(text: &str) -> Result<(&str, &str), MacroError> {
    if text.trim_start().starts_with('{') {
        let (inner, rest) = balanced(text.trim_start())?;
        Ok((inner.trim(), rest))
    } else {
        Ok((text, ""))
    }
}

/// Reads a compatibility level: up to three numbers with dots in between.
fn level(text: &str) -> Result<[u32; 3], MacroError> {
    CompatibilityLevel::parse(text).map(|level| level.0).ok_or(MacroError::Malformed)
}

/// The version whose defaults are wanted (`compatibility_level`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CompatibilityLevel(pub [u32; 3]);

impl CompatibilityLevel {
    /// Reads `major[.minor[.patch]]`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut level = [0; 3];
        let mut parts = text.split('.');
        for place in &mut level {
            match parts.next() {
                Some(part) => *place = part.parse().ok()?,
                None => break,
            }
        }
        parts.next().is_none().then_some(Self(level))
    }
}

/// A line is not `name = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line of the file, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no equal sign.
    MissingEqual,
    /// There is nothing before it.
    MissingName,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::MissingEqual => "missing '=' after attribute name",
            Problem::MissingName => "missing attribute name",
        };
        write!(f, "line {}: {problem}: \"{}\"", self.line, self.text)
    }
}

impl std::error::Error for SyntaxError {}

/// Why a value cannot be expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacroError {
    /// A bracket is not closed.
    Unbalanced,
    /// Something else than a name or a choice.
    Malformed,
    /// Macros refer to each other without end.
    TooDeep,
    /// Macros multiply beyond reason.
    TooMany,
}

impl fmt::Display for MacroError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbalanced => "truncated macro reference",
            Self::Malformed => "malformed macro reference",
            Self::TooDeep => "unreasonable macro call nesting",
            Self::TooMany => "unreasonable number of macro calls",
        })
    }
}

impl std::error::Error for MacroError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = "# comment\nmyhostname = a.b\n\n  # inside\n list = one\n\n# between\n   two,\n\
                    \tthree  \nempty =\nx=y=z\nmyhostname = c.d\n";
        let (mut file, overridden) = MainCf::parse(text).unwrap();
        // White space goes on with the line before, whatever it looks like.
        let mut value = |name| file.evaluate(name, "default").unwrap();
        assert_eq!(value("myhostname"), "c.d");
        assert_eq!(value("empty"), "");
        assert_eq!(value("x"), "y=z");
        assert_eq!(value("nosuch"), "default");
        let old = "a.b list = one   two,\tthree".to_owned();
        assert_eq!(overridden, [Overridden { line: 12, name: "myhostname".into(), value: old }]);
        assert_eq!((file.line("x"), file.line("myhostname")), (Some(11), Some(12)));
        assert_eq!(file.line("nosuch"), None);
    }

    #[test]
    fn lines_that_set_nothing() {
        let error = MainCf::parse("a = b\n\nnonsense\n here\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3: missing '=' after attribute name: \"nonsense here\""
        );
        assert_eq!(MainCf::parse(" = x").unwrap_err().problem, Problem::MissingName);
    }

    fn expand(value: &str) -> Result<String, MacroError> {
        let mut file = MainCf::default();
        file.set("a", "A");
        file.set("b", "<$a>");
        file.set("none", "");
        file.set("loop", "x$loop");
        file.evaluate(value, value)
    }

    #[test]
    fn macros() {
        let table = [
            ("plain", "plain"),
            ("$a ${a} $(a) $b!", "A A A <A>!"),
            ("$$a costs $$", "$a costs $"),
            ("[$nosuch][${none}]", "[][]"),
            ("${a?yes}${none?no}${nosuch?no}", "yes"),
            ("${a:no}${none:yes $a}", "yes A"),
            ("${a?{yes}:{no}} ${none?{yes}:{ no }}", "yes no"),
            ("${a ? {${none:$b}} : {x}}", "<A>"),
            ("${{$a} == {A} ? {same} : {other}}", "same"),
            ("${{$a} != {A} ? {other} : {same}}", "same"),
            ("${{9} < {10} ? {number}}${{x9} < {x10} ? {no} : {string}}", "numberstring"),
            ("${{3.10} <level {3.9} ? {no} : {levels}}", "levels"),
            ("${{3.6} >=level {3.6.0}}", "bool:true"),
            ("${{1} > {2}}", ""),
        ];
        for (text, expected) in table {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn macros_that_cannot_be_expanded() {
        use MacroError::{Malformed, TooDeep, Unbalanced};
        let table = [
            ("${a", Unbalanced),
            ("$(a}", Unbalanced),
            ("${a?{x}", Unbalanced),
            ("$", Malformed),
            ("${}", Malformed),
            ("${-}", Malformed),
            ("${a!x}", Malformed),
            ("${a?{x}y}", Malformed),
            ("${{1} ~ {2}?x}", Malformed),
            ("${{1}}", Malformed),
            ("${{x} <level {1}?x}", Malformed),
            ("$loop", TooDeep),
        ];
        for (text, error) in table {
            assert_eq!(expand(text), Err(error), "{text}");
        }
    }

    #[test]
    fn macros_that_multiply_are_bounded() {
        for seed in ["", "xxxxxxxxxxxxxxxx"] {
            let mut file = MainCf::default();
            file.set("a0", seed);
            for level in 0..60 {
                file.set(&format!("a{}", level + 1), &format!("$a{level}$a{level}"));
            }
            assert_eq!(file.evaluate("a60", ""), Err(MacroError::TooMany));
        }
    }

    #[test]
    fn what_was_evaluated_can_be_referred_to() {
        let mut file = MainCf::default();
        file.set("medium", "$high");
        assert_eq!(file.clone().evaluate("medium", "m").as_deref(), Ok(""));
        assert_eq!(file.evaluate("high", "HIGH").as_deref(), Ok("HIGH"));
        assert_eq!(file.evaluate("medium", "m").as_deref(), Ok("HIGH"));
    }

    #[test]
    fn compatibility_levels() {
        let level = CompatibilityLevel::parse;
        assert!(level("3.10") > level("3.9.9"));
        assert_eq!(level("2"), Some(CompatibilityLevel([2, 0, 0])));
        for bad in ["", "x", "3.", "3.6.1.1", "-1"] {
            assert_eq!(level(bad), None, "{bad}");
        }
    }
}
