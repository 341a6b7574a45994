//! What a source file names: every path in it, in `use` trees and inline, resolved from where it stands.

use super::tokens::{Token, tokens};

/// A path that some line of a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    pub line: usize,
    pub path: Named,
    /// In a `use` (or a visibility), where a single segment is a name already.
    pub imported: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Of this package, from the crate's root; a glob ends in `*`.
    Ours(Vec<String>),
    /// Of another crate, or a name that was imported or declared before.
    Other(Vec<String>),
}

/// The module that a file under `src/` is: `analysis/wire/mod.rs` is `[analysis, wire]`; `lib.rs` and `main.rs` are `[]`.
pub fn module_of(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

pub fn mentions(file: &str, text: &str) -> Vec<Mention> {
    let tokens = tokens(text);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        module: module_of(file),
        inline: Vec::new(),
        depth: 0,
        children: children(&tokens),
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

/// Modules that the file declares: the only names of ours that a path may begin with.
fn children<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let declared = tokens.windows(3).filter(|w| w[0].text == "mod" && matches!(w[2].text, ";" | "{"));
    declared.map(|w| w[1].text).collect()
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    module: Vec<String>,
    /// Depths of braces at which the inline modules we are inside of began.
    inline: Vec<usize>,
    depth: usize,
    children: Vec<&'a str>,
    found: Vec<Mention>,
}

impl<'a> Reader<'a> {
    fn read(&mut self) {
        while let Some(token) = self.peek(0) {
            match (token, self.peek(1), self.peek(2)) {
                ("use", Some(next), _) if next != "<" => {
                    self.at += 1;
                    self.use_tree(&[]);
                }
                ("mod", Some(name), Some("{")) => {
                    self.module.push(name.to_owned());
                    self.inline.push(self.depth);
                    self.depth += 1;
                    self.at += 3;
                }
                ("{", ..) => {
                    self.depth += 1;
                    self.at += 1;
                }
                ("}", ..) => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.inline.last() == Some(&self.depth) {
                        self.inline.pop();
                        self.module.pop();
                    }
                    self.at += 1;
                }
                // `pub(in path)` names an ancestor: it hides, it does not reach.
                ("(", Some("in"), _) => {
                    self.at += self.tokens[self.at..].iter().take_while(|token| token.text != ")").count();
                }
                (_, Some("::"), _) if self.tokens[self.at].is_word() => self.inline_path(),
                _ => self.at += 1,
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(|token| token.text)
    }

    fn inline_path(&mut self) {
        let line = self.tokens[self.at].line;
        let mut segments = vec![self.tokens[self.at].text];
        self.at += 1;
        while self.peek(0) == Some("::") && self.tokens.get(self.at + 1).is_some_and(Token::is_word) {
            segments.push(self.tokens[self.at + 1].text);
            self.at += 2;
        }
        self.note(line, &segments, false);
    }

    /// One tree of a `use`, from the token after `use`, `{` or `,` to the `;`, `}` or `,` that ends it.
    fn use_tree(&mut self, prefix: &[&'a str]) {
        let mut path = prefix.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        while let Some(token) = self.peek(0) {
            match token {
                "{" => {
                    self.at += 1;
                    while !matches!(self.peek(0), None | Some("}")) {
                        self.use_tree(&path);
                        if self.peek(0) == Some(",") {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                ";" | "," | "}" => break,
                "as" => self.at += 2,
                "self" if !path.is_empty() => self.at += 1,
                "::" => self.at += 1,
                segment => {
                    path.push(segment);
                    self.at += 1;
                }
            }
        }
        self.note(line, &path, true);
    }

    fn note(&mut self, line: usize, segments: &[&str], imported: bool) {
        let path = self.resolve(segments);
        self.found.push(Mention { line, path, imported });
    }

    fn resolve(&self, segments: &[&str]) -> Named {
        let owned = |from: &[&str]| from.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>();
        match segments.first() {
            Some(&("crate" | "esp_tcpwatch")) => Named::Ours(owned(&segments[1..])),
            Some(&("self" | "super")) => {
                let mut base = self.module.clone();
                let mut rest = segments;
                while let Some(&first @ ("self" | "super")) = rest.first() {
                    if first == "super" {
                        base.pop();
                    }
                    rest = &rest[1..];
                }
                base.extend(owned(rest));
                Named::Ours(base)
            }
            Some(child) if self.children.contains(child) => {
                let mut base = self.module.clone();
                base.extend(owned(segments));
                Named::Ours(base)
            }
            _ => Named::Other(owned(segments)),
        }
    }
}
