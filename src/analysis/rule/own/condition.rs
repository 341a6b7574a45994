//! A condition: CEL over the fields of one event, parsed and checked once, then evaluated event by event.

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, ExecutionError, IdedExpr, Value,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelString},
        value::{CowVal, Val},
    },
    context::VariableResolver,
    parser::ParseErrors,
};

use super::{
    Fault, check,
    field::Datum,
    fields,
    heard::{Heard, Kind},
    sample::Sample,
    scan,
};

/// The operators and functions of CEL, and none of its macros: those are its loops.
static ENVIRONMENT: LazyLock<Arc<Env>> =
    LazyLock::new(|| Arc::new(Env::default().with_optional_support(false).with_stdlib()));

#[derive(Debug)]
pub struct Condition {
    pub kind: Kind,
    pub source: String,
    /// The fields that it names, by name.
    pub names: Vec<String>,
    expr: IdedExpr,
}

impl Condition {
    /// Parses and checks `source`; all that is wrong with it otherwise.
    pub fn read(kind: Kind, source: &str) -> Result<Condition, Vec<Fault>> {
        scan::scan(source).map_err(|fault| vec![fault])?;
        let parsed = ENVIRONMENT.parser().parse_with_source_info(source);
        let (mut expr, info) = parsed.map_err(|errors| grammar(source, &errors))?;
        let check::Checked { faults, names } = check::check(kind, &mut expr, &info);
        if !faults.is_empty() {
            return Err(faults);
        }
        let condition = Condition { kind, source: source.to_owned(), names, expr };
        match condition.holds(Sample::new(kind).heard()) {
            Ok(_) => Ok(condition),
            Err(why) => Err(vec![Fault::new(0, format!("it fails on a sample of a {kind}: {why}"))]),
        }
    }

    /// Whether it holds for `heard`; why that cannot be said otherwise.
    pub fn holds(&self, heard: Heard<'_>) -> Result<bool, String> {
        let event = Event(heard);
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        context.set_variable_resolver(&event);
        match Value::resolve(&self.expr, &context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gives a {}", other.type_of())),
            Err(ExecutionError::UndeclaredReference(name)) => Err(format!("`{name}` is absent")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The fields that it names, with their values in `heard`.
    pub fn read_of<'a>(&'a self, heard: Heard<'a>) -> impl Iterator<Item = (&'a str, Option<Datum<'a>>)> {
        self.names.iter().map(move |name| (name.as_str(), fields::value(heard, name)))
    }
}

/// The identifier that stands for `has(name)`.
pub(super) fn presence_of(name: &str) -> String {
    format!("has({name})")
}

/// Gives the evaluation the fields that it asks for, and no other.
#[derive(Debug)]
struct Event<'a>(Heard<'a>);

impl VariableResolver for Event<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(name) = variable.strip_prefix("has(").and_then(|rest| rest.strip_suffix(')')) {
            return Some(CowVal::owned(CelBool::from(fields::value(self.0, name).is_some())));
        }
        Some(match fields::value(self.0, variable)? {
            Datum::Text(text) => CowVal::owned(CelString::from(text)),
            Datum::Word(word) => CowVal::owned(CelString::from(word)),
            Datum::Address(address) => CowVal::owned(CelString::from(address.to_string())),
            Datum::Socket(socket) => CowVal::owned(CelString::from(socket.to_string())),
            Datum::Int(number) => CowVal::owned(CelInt::from(number)),
            Datum::Double(number) => CowVal::owned(CelDouble::from(number)),
            Datum::Frames(frames) => {
                let number = |frame: &u64| i64::try_from(*frame).unwrap_or(i64::MAX);
                let boxed = |frame| -> Box<dyn Val + 'b> { Box::new(CelInt::from(number(frame))) };
                CowVal::owned(CelList::from(frames.iter().map(boxed).collect::<Vec<_>>()))
            }
        })
    }
}

/// What the parser complains of, in fewer words: it lists every token that could have come.
fn grammar(source: &str, errors: &ParseErrors) -> Vec<Fault> {
    let first = errors.errors.iter().min_by_key(|error| error.pos);
    let Some(error) = first else { return vec![Fault::new(0, "it is no CEL expression")] };
    let (line, column) = (error.pos.0.max(1) as usize, error.pos.1.max(1) as usize);
    let before: usize = source.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = source.get(before..).unwrap_or_default();
    let within = rest.char_indices().nth(column - 1).map_or(rest.trim_end().len(), |(at, _)| at);
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    let message = message.split(" expecting {").next().unwrap_or(message);
    let what = if message.contains("<EOF>'") {
        "the condition ends too early".to_owned()
    } else {
        format!("it is no CEL expression: {}", message.trim_end_matches(" expecting <EOF>"))
    };
    vec![Fault::new(before + within, what)]
}
