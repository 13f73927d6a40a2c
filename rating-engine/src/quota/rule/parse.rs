//! A rule as a tree.

use super::RuleError;
use super::token::{Kind, Token, tokens};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// A number, as written.
    Number(String),
    Text(String),
    Boolean(bool),
    Null,
    Undefined,
    Variable(String),
    Member(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Conditional(Box<Expression>, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    Expression(Expression),
    If(Expression, Vec<Statement>, Option<Vec<Statement>>),
}

/// Operators from loosest to tightest; all bind to the left.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["===", "!==", "==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Deeper nesting is no tariff, and must not exhaust the stack.
const MAX_DEPTH: usize = 60;

/// The preset variables. Source: `PresetVariables` of the Quota plugin.
const VARIABLES: &[&str] = &[
    "account",
    "configuration",
    "domain",
    "lastTariffs",
    "project",
    "resourceType",
    "value",
    "zone",
];

pub(super) fn parse(text: &str) -> Result<Vec<Statement>, RuleError> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        depth: 0,
    };
    let statements = parser.statements()?;
    match parser.peek() {
        None => Ok(statements),
        Some(token) => Err(unexpected(token)),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

fn unexpected(token: &Token) -> RuleError {
    let text = match &token.kind {
        Kind::Number(text) | Kind::Word(text) => text.clone(),
        Kind::Text(text) => format!("{text:?}"),
        Kind::Sign(sign) => (*sign).to_owned(),
    };
    RuleError(format!("{text} is beyond what is understood there"))
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let Some(Kind::Sign(sign)) = self.peek().map(|token| &token.kind) else {
            return None;
        };
        let sign = *sign;
        let found = signs.contains(&sign);
        self.at += usize::from(found);
        found.then_some(sign)
    }

    fn word(&mut self, word: &str) -> bool {
        let found =
            matches!(self.peek().map(|token| &token.kind), Some(Kind::Word(text)) if text == word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), RuleError> {
        if self.sign(&[sign]).is_some() {
            return Ok(());
        }
        Err(self.peek().map_or_else(
            || RuleError(format!("{sign} is missing at the end")),
            unexpected,
        ))
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, RuleError>,
    ) -> Result<T, RuleError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RuleError("it is nested too deeply".to_owned()));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Statements up to a closing brace or the end.
    fn statements(&mut self) -> Result<Vec<Statement>, RuleError> {
        let mut statements = Vec::new();
        loop {
            while self.sign(&[";"]).is_some() {}
            let closing = self
                .peek()
                .is_none_or(|token| token.kind == Kind::Sign("}"));
            if closing {
                return Ok(statements);
            }
            statements.push(self.deeper(Self::statement)?);
        }
    }

    fn statement(&mut self) -> Result<Statement, RuleError> {
        if self.word("if") {
            self.expect("(")?;
            let condition = self.expression()?;
            self.expect(")")?;
            let then = self.block()?;
            // a semicolon may stand between a one-statement branch and its else
            let otherwise = if self.word("else") {
                Some(self.block()?)
            } else {
                None
            };
            return Ok(Statement::If(condition, then, otherwise));
        }
        let expression = self.expression()?;
        self.end_of_statement()?;
        Ok(Statement::Expression(expression))
    }

    fn block(&mut self) -> Result<Vec<Statement>, RuleError> {
        if self.sign(&["{"]).is_some() {
            let statements = self.deeper(Self::statements)?;
            self.expect("}")?;
            return Ok(statements);
        }
        Ok(vec![self.deeper(Self::statement)?])
    }

    fn end_of_statement(&mut self) -> Result<(), RuleError> {
        if self.sign(&[";"]).is_some() {
            return Ok(());
        }
        match self.peek() {
            Some(token) if !token.after_newline && token.kind != Kind::Sign("}") => {
                Err(unexpected(token))
            }
            _ => Ok(()),
        }
    }

    fn expression(&mut self) -> Result<Expression, RuleError> {
        self.deeper(|parser| {
            let condition = parser.binary(LEVELS)?;
            if parser.sign(&["?"]).is_none() {
                return Ok(condition);
            }
            let then = parser.expression()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            Ok(Expression::Conditional(
                Box::new(condition),
                Box::new(then),
                Box::new(otherwise),
            ))
        })
    }

    fn binary(&mut self, levels: &[&[&'static str]]) -> Result<Expression, RuleError> {
        let Some((signs, tighter)) = levels.split_first() else {
            return self.unary();
        };
        let mut left = self.binary(tighter)?;
        let mut length = 0;
        while let Some(sign) = self.sign(signs) {
            // a chain is as deep a tree as nesting is
            length += 1;
            if length > MAX_DEPTH {
                return Err(RuleError("it is nested too deeply".to_owned()));
            }
            let right = self.binary(tighter)?;
            left = Expression::Binary(sign, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, RuleError> {
        match self.sign(&["!", "-"]) {
            Some("!") => Ok(Expression::Not(Box::new(self.deeper(Self::unary)?))),
            Some(_) => Ok(Expression::Negative(Box::new(self.deeper(Self::unary)?))),
            None => self.members(),
        }
    }

    fn members(&mut self) -> Result<Expression, RuleError> {
        let mut expression = self.primary()?;
        let mut length = 0;
        while let Some(sign) = self.sign(&[".", "["]) {
            length += 1;
            if length > MAX_DEPTH {
                return Err(RuleError("it is nested too deeply".to_owned()));
            }
            expression = if sign == "[" {
                let index = self.expression()?;
                self.expect("]")?;
                Expression::Index(Box::new(expression), Box::new(index))
            } else {
                match self.next() {
                    Some(Kind::Word(name)) => Expression::Member(Box::new(expression), name),
                    _ => return Err(RuleError("a name is missing after the point".to_owned())),
                }
            };
        }
        Ok(expression)
    }

    fn next(&mut self) -> Option<Kind> {
        let kind = self.peek()?.kind.clone();
        self.at += 1;
        Some(kind)
    }

    fn primary(&mut self) -> Result<Expression, RuleError> {
        if self.sign(&["("]).is_some() {
            let expression = self.expression()?;
            self.expect(")")?;
            return Ok(expression);
        }
        let Some(token) = self.peek().cloned() else {
            return Err(RuleError("it ends in the middle".to_owned()));
        };
        let expression = match &token.kind {
            Kind::Number(text) => Expression::Number(text.clone()),
            Kind::Text(text) => Expression::Text(text.clone()),
            Kind::Word(word) => match word.as_str() {
                "true" => Expression::Boolean(true),
                "false" => Expression::Boolean(false),
                "null" => Expression::Null,
                "undefined" => Expression::Undefined,
                name if VARIABLES.contains(&name) => Expression::Variable(word.clone()),
                _ => return Err(unexpected(&token)),
            },
            Kind::Sign(_) => return Err(unexpected(&token)),
        };
        self.at += 1;
        Ok(expression)
    }
}
