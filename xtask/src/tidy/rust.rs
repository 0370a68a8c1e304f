//! Rules for Rust files: module docs, sizes, names, and what tests may not do.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use crate::source::SourceFile;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 600;
const LIB_LINES_MAX: usize = 100;

/// Words that say nothing, and so may name neither a file nor a type.
const BANNED: [&str; 12] = [
    "manager", "helper", "helpers", "util", "utils", "service", "handler", "handlers", "base", "common", "v2", "phase",
];

/// What the file breaks.
pub fn check(file: &SourceFile) -> Vec<String> {
    let mut broken = Vec::new();
    let mut object = |line: usize, text: String| broken.push(format!("{}:{line}: {text}", file.path));
    if file.path.ends_with("/mod.rs") {
        object(1, "name the file after its module, beside the module's folder".to_owned());
    }
    if let Some(word) = banned_word(file.stem()) {
        object(1, format!("the file name says \"{word}\", which says nothing"));
    }
    if !file.is_unit_test() && !file.text.starts_with("//!") {
        object(1, "a module opens with //! saying what it is for".to_owned());
    }
    let parsed = match syn::parse_file(&file.text) {
        Ok(parsed) => parsed,
        Err(error) => {
            object(error.span().start().line, format!("does not parse: {error}"));
            return broken;
        }
    };
    let mut rules = Rules { in_test: file.is_test(), ..Rules::default() };
    rules.visit_file(&parsed);
    for (line, text) in rules.objections {
        object(line, text);
    }
    let lines = file.text.lines().count().saturating_sub(rules.test_lines);
    let lines_max = if file.path.ends_with("/src/lib.rs") { LIB_LINES_MAX } else { FILE_LINES_MAX };
    if !file.is_test() && lines > lines_max {
        object(1, format!("{lines} lines without tests; at most {lines_max}"));
    }
    broken
}

/// Every `fn name` in the text, inside macros too, with its line.
pub fn functions_named(text: &str) -> Vec<(usize, String)> {
    let Ok(tokens) = text.parse::<TokenStream>() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    walk(tokens, &mut |previous, token, _| {
        if let TokenTree::Ident(name) = token
            && matches!(previous, Some(TokenTree::Ident(keyword)) if keyword == "fn")
        {
            found.push((name.span().start().line, name.to_string()));
        }
    });
    found
}

fn banned_word(name: &str) -> Option<&'static str> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() || c == '_' || c == '-' {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase());
    }
    let words: Vec<&str> = spaced.split([' ', '_', '-']).collect();
    BANNED.into_iter().find(|banned| words.contains(banned))
}

/// Calls `look` with each token, the one before it and the one behind it.
fn walk(tokens: TokenStream, look: &mut impl FnMut(Option<&TokenTree>, &TokenTree, Option<&TokenTree>)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let previous = at.checked_sub(1).and_then(|at| tokens.get(at));
        look(previous, token, tokens.get(at + 1));
        if let TokenTree::Group(group) = token {
            walk(group.stream(), look);
        }
    }
}

#[derive(Default)]
struct Rules {
    in_test: bool,
    test_lines: usize,
    objections: Vec<(usize, String)>,
}

impl Rules {
    fn size(&mut self, name: &syn::Ident, head: Span, body: Span) {
        let lines = body.end().line.saturating_sub(head.start().line) + 1;
        if !self.in_test && lines > FUNCTION_LINES_MAX {
            self.objections.push((
                head.start().line,
                format!("function \"{name}\" has {lines} lines; at most {FUNCTION_LINES_MAX}"),
            ));
        }
    }

    fn name(&mut self, name: &syn::Ident) {
        if let Some(word) = banned_word(&name.to_string()) {
            self.objections.push((name.span().start().line, format!("type \"{name}\" says \"{word}\"")));
        }
    }

    fn test_code(&mut self, tokens: TokenStream) {
        walk(tokens, &mut |previous, token, next| {
            let TokenTree::Ident(ident) = token else { return };
            let line = ident.span().start().line;
            let called = matches!(next, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
            let defined = matches!(previous, Some(TokenTree::Ident(keyword)) if keyword == "fn");
            if ident == "sleep" && called && !defined {
                self.objections.push((line, "a test waits for what happens, never for time to pass".to_owned()));
            }
        });
    }

    fn attributes(&mut self, attributes: &[syn::Attribute]) {
        for attribute in attributes {
            if attribute.path().is_ident("ignore") {
                self.objections.push((attribute.span().start().line, "a test is not ignored".to_owned()));
            }
        }
    }
}

fn is_test_module(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Rules {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if self.in_test {
            for item in &file.items {
                self.test_code(tokens_of(item));
            }
        }
        visit::visit_file(self, file);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let entering = !self.in_test && module.content.is_some() && is_test_module(&module.attrs);
        if !entering {
            visit::visit_item_mod(self, module);
            return;
        }
        let span = module.span();
        self.test_lines += span.end().line.saturating_sub(span.start().line) + 1;
        self.in_test = true;
        for item in module.content.iter().flat_map(|(_, items)| items) {
            self.test_code(tokens_of(item));
        }
        visit::visit_item_mod(self, module);
        self.in_test = false;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.attributes(&function.attrs);
        self.size(&function.sig.ident, function.sig.span(), function.block.span());
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.size(&function.sig.ident, function.sig.span(), function.block.span());
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.size(&function.sig.ident, function.sig.span(), block.span());
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.name(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.name(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.name(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.name(&item.ident);
        visit::visit_item_type(self, item);
    }
}

fn tokens_of(item: &syn::Item) -> TokenStream {
    quote::ToTokens::to_token_stream(item)
}
