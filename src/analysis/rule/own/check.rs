//! A parsed condition held against the event it listens to: every name, every type, every word it is compared with.
//!
//! CEL itself would find these out while it runs, and some of them never: `rule == "time-wait-colision"` is false
//! for ever and looks like silence. What passes here holds no loop, so its cost is bounded by its length.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, ListExpr, LiteralValue, SourceInfo, operators},
};

use super::{
    Fault,
    field::{Type, Words},
    fields,
    heard::Kind,
    known::{self, listed},
};

/// Operators within operators.
const DEPTH: usize = 40;

/// The functions of a condition, as they are written.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("has(FIELD)", "whether the event has it"),
    ("size(X)", "characters of a string, members of a list"),
    ("TEXT.contains(PART)", "and `startsWith`, `endsWith`"),
    ("double(INT)", "an int as a double; `int(DOUBLE)` cuts the fraction off"),
];
const FUNCTION_NAMES: &str = "has, size, contains, startsWith, endsWith, int, double";
/// What CEL knows as loops over lists.
const LOOPS: &[&str] = &["all", "exists", "exists_one", "existsOne", "map", "filter"];

/// What was found out about a condition.
#[derive(Debug, Default)]
pub struct Checked {
    pub faults: Vec<Fault>,
    /// The fields that it names, by name.
    pub names: Vec<String>,
}

/// Checks `expr` and makes one identifier of each dotted name and each `has(…)`, as [`super::condition`] looks them up.
pub fn check(kind: Kind, expr: &mut IdedExpr, source: &SourceInfo) -> Checked {
    let mut walk = Walk { kind, source, checked: Checked::default() };
    let whole = walk.visit(expr, 0);
    if let Some(other) = whole.filter(|whole| *whole != Type::Bool) {
        let _: Option<()> = walk.fault(
            expr.id,
            format!(
                "the condition gives {}; expected a bool, for example a comparison",
                other.with_article()
            ),
        );
    }
    walk.checked.names.sort();
    walk.checked.names.dedup();
    walk.checked
}

struct Walk<'a> {
    kind: Kind,
    source: &'a SourceInfo,
    checked: Checked,
}

impl Walk<'_> {
    /// The type of `expr`; `None` where that was told to be wrong.
    fn visit(&mut self, expr: &mut IdedExpr, depth: usize) -> Option<Type> {
        if depth > DEPTH {
            return self.fault(expr.id, format!("it nests deeper than {DEPTH} operators"));
        }
        if let Some((name, id)) = dotted(expr) {
            let known = self.field(&name, id)?;
            expr.expr = Expr::Ident(name);
            return Some(known);
        }
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::List(list) => self.list(id, list),
            Expr::Call(call) if call.func_name == operators::HAS => {
                let name = self.has(id, call)?;
                expr.expr = Expr::Ident(name);
                Some(Type::Bool)
            }
            Expr::Call(call) => self.call(id, call, depth + 1),
            Expr::Select(select) => {
                let what = format!("`.{}`: only the fields of the event have names in them", select.field);
                self.fault(id, what)
            }
            Expr::Ident(_) | Expr::Unspecified => self.fault(id, "expected the name of a field"),
            Expr::Comprehension(_) => self.fault(id, "a condition holds no loops"),
            Expr::Map(_) | Expr::Struct(_) => self.fault(id, "a condition builds no maps and no messages"),
        }
    }

    fn field(&mut self, name: &str, id: u64) -> Option<Type> {
        if let Some(known) = fields::find(self.kind, name) {
            self.checked.names.push(name.to_owned());
            return Some(known.kind());
        }
        let names = fields::names(self.kind);
        let what = format!(
            "`{name}` is no field of a {}; expected one of {}",
            self.kind,
            listed(&known::nearest(name, names.iter().map(String::as_str)), "fields")
        );
        self.fault(id, what)
    }

    fn literal(&mut self, id: u64, literal: &LiteralValue) -> Option<Type> {
        match literal {
            LiteralValue::Boolean(_) => Some(Type::Bool),
            LiteralValue::Double(_) => Some(Type::Double),
            LiteralValue::Int(_) => Some(Type::Int),
            LiteralValue::String(_) => Some(Type::Text),
            LiteralValue::Bytes(_) => self.fault(id, "no field holds bytes; write a string without the `b`"),
            LiteralValue::UInt(_) => self.fault(id, "no field is unsigned; write the number without its `u`"),
            LiteralValue::Null => self.fault(id, "no field is null; `has(FIELD)` tells whether it is there"),
        }
    }

    fn list(&mut self, id: u64, list: &mut ListExpr) -> Option<Type> {
        let mut whole = None;
        for element in &mut list.elements {
            if !matches!(element.expr, Expr::Literal(_)) {
                return self
                    .fault(element.id, "a list holds numbers or strings as they are, and nothing else");
            }
            let kind = match self.visit(element, 0)? {
                Type::Int | Type::Double => Type::Numbers,
                Type::Text => Type::Texts,
                Type::Bool | Type::Numbers | Type::Texts => {
                    return self.fault(element.id, "a list holds numbers or strings");
                }
            };
            if whole.is_some_and(|whole| whole != kind) {
                return self.fault(element.id, "a list holds either numbers or strings");
            }
            whole = Some(kind);
        }
        whole.or_else(|| self.fault(id, "nothing is in an empty list"))
    }

    fn has(&mut self, id: u64, call: &CallExpr) -> Option<String> {
        let ([argument], None) = (call.args.as_slice(), &call.target) else {
            return self.fault(id, "`has` takes one field: `has(FIELD)`");
        };
        let Some((name, at)) = dotted(argument) else {
            return self.fault(argument.id, "`has` takes the name of a field");
        };
        self.field(&name, at)?;
        Some(super::condition::presence_of(&name))
    }

    fn call(&mut self, id: u64, call: &mut CallExpr, depth: usize) -> Option<Type> {
        let function = call.func_name.clone();
        if LOOPS.contains(&function.as_str()) {
            let what = format!("`{function}` runs over a list, and a condition holds no loops");
            return self.fault(id, what);
        }
        // All operands are visited before anything is said of them together: each may be wrong by itself.
        let target: Option<Option<Type>> = call.target.as_mut().map(|target| self.visit(target, depth));
        let kinds: Vec<Option<Type>> = call.args.iter_mut().map(|arg| self.visit(arg, depth)).collect();
        if matches!(function.as_str(), operators::EQUALS | operators::NOT_EQUALS | operators::IN) {
            self.words(call);
        }
        let kinds = target.into_iter().chain(kinds).collect::<Option<Vec<Type>>>()?;
        let is_method = call.target.is_some();
        let sign = function.trim_matches(['_', '@']);
        use Type::{Bool, Double, Int, Numbers, Text, Texts};
        match (function.as_str(), kinds.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [Bool, Bool])
            | (operators::LOGICAL_NOT, [Bool])
            | (operators::IN, [Int | Double, Numbers] | [Text, Texts]) => Some(Bool),
            (operators::EQUALS | operators::NOT_EQUALS, [Bool, Bool]) => Some(Bool),
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [Int | Double, Int | Double] | [Text, Text],
            ) => Some(Bool),
            (operators::CONDITIONAL, [Bool, yes, no]) if yes == no => Some(*yes),
            (operators::NEGATE, [number @ (Int | Double)]) => Some(*number),
            (operators::MODULO, [Int, Int]) => Some(Int),
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE,
                [one @ (Int | Double), other],
            ) if one == other => Some(*one),
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE,
                [Int | Double, Int | Double],
            ) => self.fault(
                id,
                format!("`{sign}`: an int and a double do not mix; write `2.0` for `2`, or `double(FIELD)`"),
            ),
            ("size", [Text | Numbers | Texts]) => Some(Int),
            ("contains" | "startsWith" | "endsWith", [Text, Text]) if is_method => Some(Bool),
            ("int", [Int | Double]) if !is_method => Some(Int),
            ("double", [Int | Double]) if !is_method => Some(Double),
            ("contains" | "startsWith" | "endsWith", _) => {
                self.fault(id, format!("`{function}` is written `FIELD.{function}(\"text\")`"))
            }
            ("size" | "int" | "double", _) => {
                let takes = if function == "size" { "a string or a list" } else { "a number" };
                self.fault(id, format!("`{function}` takes {takes}: `{function}(FIELD)`"))
            }
            (operators::INDEX, _) => {
                self.fault(id, "a condition takes nothing out of a list; `in` asks for it")
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => {
                let (one, other) = (one.with_article(), other.with_article());
                self.fault(id, format!("`{sign}`: {one} never equals {other}"))
            }
            (operators::CONDITIONAL, [_, yes, no]) => self.fault(
                id,
                format!("`?:`: expected a bool before `?`, and one type after it; {yes} and {no} given"),
            ),
            (name, kinds) if name.contains(['_', '@', '!', '-']) => {
                let given: Vec<_> = kinds.iter().map(Type::to_string).collect();
                self.fault(id, format!("`{sign}` does not take {}", given.join(" and ")))
            }
            (name, _) => self.fault(
                id,
                format!("`{name}` is no function of a condition; expected one of {FUNCTION_NAMES}"),
            ),
        }
    }

    /// Refuses to compare a field with a word that it never holds.
    fn words(&mut self, call: &CallExpr) {
        let [one, other] = call.args.as_slice() else { return };
        for (field, given) in [(one, other), (other, one)] {
            let Expr::Ident(name) = &field.expr else { continue };
            let Some(words) = fields::find(self.kind, name).map(|known| known.words()) else { continue };
            let literals = match &given.expr {
                Expr::List(list) => list.elements.as_slice(),
                _ => core::slice::from_ref(given),
            };
            for literal in literals {
                let Expr::Literal(LiteralValue::String(text)) = &literal.expr else { continue };
                if words.allow(text) {
                    continue;
                }
                let expected = match words {
                    Words::Address => "an IP address".to_owned(),
                    Words::Any | Words::OneOf(_) | Words::RuleId => {
                        format!(
                            "one of {}",
                            listed(&known::nearest(text, words.listed().into_iter()), "list")
                        )
                    }
                };
                let what = format!("`{name}` is never \"{}\"; expected {expected}", text.escape_debug());
                let _: Option<()> = self.fault(literal.id, what);
            }
        }
    }

    fn fault<T>(&mut self, id: u64, what: impl Into<String>) -> Option<T> {
        let at = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.checked.faults.push(Fault::new(at, what));
        None
    }
}

/// The name that `expr` spells (`a`, `a.b`), and the node at which it begins.
fn dotted(expr: &IdedExpr) -> Option<(String, u64)> {
    let mut parts = Vec::new();
    let mut here = expr;
    loop {
        match &here.expr {
            Expr::Ident(name) => {
                parts.push(name.as_str());
                parts.reverse();
                return Some((parts.join("."), here.id));
            }
            Expr::Select(select) if !select.test => {
                parts.push(&select.field);
                here = &select.operand;
            }
            _ => return None,
        }
    }
}
