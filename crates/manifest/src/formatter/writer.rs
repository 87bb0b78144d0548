//! Writes a document in canonical form. Whole lines are moved and shifted, so that everything a person wrote in them stays.

use std::ops::Range;

use super::order::Place;
use super::syntax::{Document, Pair, Shape, Syntax};

/// Spaces of one level.
const INDENT: usize = 2;

/// The document in canonical form.
pub(super) fn write(text: &str, document: &Document) -> String {
    let mut all: Vec<&str> = text.split('\n').collect();
    all.pop_if(|last| last.is_empty());
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut writer = Writer { all, starts, document, out: Vec::new() };
    writer.document();
    let mut formatted = writer.out.join("\n");
    if !formatted.is_empty() {
        formatted.push('\n');
    }
    formatted
}

struct Writer<'a> {
    all: Vec<&'a str>,
    /// Offset of each line.
    starts: Vec<usize>,
    document: &'a Document,
    out: Vec<String>,
}

/// The lines of one entry or item.
struct Part {
    /// Comments and blank lines before it.
    head: Range<usize>,
    /// Its own lines, with the comments below it that are indented deeper than the next one.
    body: Range<usize>,
}

/// The lines of a collection.
struct Parts {
    each: Vec<Part>,
    /// Comments and blank lines after the last one.
    tail: Range<usize>,
}

/// An entry of a map or an item of a list.
struct Begin<'s> {
    /// Offset of the key; `None` for an item.
    key: Option<usize>,
    value: &'s Syntax,
}

impl Writer<'_> {
    /// The line of an offset.
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn column(&self, offset: usize) -> usize {
        offset - self.starts[self.line(offset)]
    }

    fn is_blank(&self, line: usize) -> bool {
        self.all[line].trim().is_empty()
    }

    fn is_comment(&self, line: usize) -> bool {
        self.all[line].trim_start().starts_with('#')
    }

    /// True when a value begins below the line of its key or dash. A missing value does not.
    fn is_below(&self, value: &Syntax, line: usize) -> bool {
        let is_missing = matches!(value.shape, Shape::Leaf) && value.start == value.end;
        !is_missing && self.line(value.start) > line
    }

    fn document(&mut self) {
        let end = self.all.len();
        let Some(root) = &self.document.root else {
            self.out.extend(self.all.iter().map(|line| line.trim_end().to_owned()));
            return;
        };
        let begin = self.document.start.map_or(0, |start| self.line(start) + 1);
        let (Shape::Map(pairs), true) = (&root.shape, self.line(root.start) >= begin) else {
            self.out.extend(self.all.iter().map(|line| (*line).to_owned()));
            return;
        };
        let is_mark = |line: &usize| self.all[*line].trim_end() == "..." && *line >= begin;
        let last = self.last_line(root, 0, begin);
        let end_mark = (last + 1..end).find(is_mark).unwrap_or(end);
        // What is at the top of a file is about the file.
        let first = self.line(pairs.first().map_or(root.start, |pair| pair.key));
        let has_gap = |line: &usize| self.is_blank(*line);
        let top = if begin > 0 { begin } else { (0..first).rev().find(has_gap).map_or(first, |line| line + 1) };
        let top = top.min(first);
        for line in 0..top {
            self.out.push(self.all[line].trim_end().to_owned());
        }
        // Blank lines at the end may be a part of the last scalar, but of nothing else.
        let content = (last + 1..end_mark).rev().find(|line| !self.is_blank(*line)).unwrap_or(last) + 1;
        self.map(pairs, top..content, 0, &Place::root(), None);
        for line in end_mark..end {
            self.out.push(self.all[line].trim_end().to_owned());
        }
    }

    /// The last line of a value below a key or dash at `column` of line `from`.
    fn last_line(&self, value: &Syntax, column: usize, from: usize) -> usize {
        match &value.shape {
            Shape::Leaf if value.end > value.start => self.line(value.end - 1),
            Shape::Leaf => from,
            Shape::Block => self.block_end(self.line(value.start), column),
            Shape::Map(pairs) => pairs
                .last()
                .map_or(from, |pair| self.last_line(&pair.value, self.column(pair.key), self.line(pair.key))),
            Shape::List(items) => items.last().map_or(from, |item| {
                let is_missing = matches!(item.shape, Shape::Leaf) && item.start == item.end;
                let column = self.column(value.start);
                // The dash of a missing item is the last one below the item before.
                let from = if is_missing { self.last_dash(items, column, self.line(value.start)) } else { from };
                self.last_line(item, column, from)
            }),
        }
    }

    /// The line of the last dash of a list whose last item is missing.
    fn last_dash(&self, items: &[Syntax], column: usize, from: usize) -> usize {
        let Some((_, before)) = items.split_last() else { return from };
        let mut line = from;
        for item in before {
            let end = self.last_line(item, column, line);
            line =
                (end + 1..self.all.len()).find(|line| !self.is_blank(*line) && !self.is_comment(*line)).unwrap_or(end);
        }
        line
    }

    /// The last line of a literal or folded scalar.
    fn block_end(&self, header: usize, column: usize) -> usize {
        let content = self.content(header, column);
        let mut last = header;
        for line in header + 1..self.all.len() {
            let text = self.all[line];
            if self.is_blank(line) {
                // Spaces beyond the indentation are content.
                if content.is_some_and(|content| text.len() > content) {
                    last = line;
                }
            } else if content.is_some_and(|content| indentation(text) >= content) {
                last = line;
            } else {
                break;
            }
        }
        if keeps_blank_lines(self.all[header]) {
            while last + 1 < self.all.len() && self.is_blank(last + 1) {
                last += 1;
            }
        }
        last
    }

    /// Indentation of the content of a literal or folded scalar; `None` when it is empty.
    fn content(&self, header: usize, column: usize) -> Option<usize> {
        if let Some(given) = given_indentation(self.all[header]) {
            return Some(column + given);
        }
        let first = (header + 1..self.all.len()).find(|line| !self.is_blank(*line))?;
        Some(indentation(self.all[first])).filter(|found| *found > column)
    }

    /// The lines of each entry or item; `None` when they do not each begin a line of their own.
    fn parts(&self, region: &Range<usize>, begins: &[Begin<'_>]) -> Option<Parts> {
        let mut each: Vec<Part> = Vec::new();
        let mut from = region.start;
        let mut column = 0;
        for (index, begin) in begins.iter().enumerate() {
            let line = (from..region.end).find(|line| !self.is_blank(*line) && !self.is_comment(*line))?;
            let text = self.all[line];
            if let Some(key) = begin.key {
                column = self.column(key);
                let before = text.get(..column)?;
                // The first key of an item is behind its dash.
                let opens = match index {
                    0 => before.trim_start().trim_start_matches('-').trim().is_empty(),
                    _ => before.trim().is_empty(),
                };
                if self.line(key) != line || !opens {
                    return None;
                }
            } else {
                column = indentation(text);
                if !text.trim_start().starts_with('-') {
                    return None;
                }
            }
            from = self.give_comments(&mut each, from..line, column);
            let end = self.last_line(begin.value, column, line).max(line);
            each.push(Part { head: from..line, body: line..end + 1 });
            from = end + 1;
        }
        if from > region.end {
            return None;
        }
        let from = self.give_comments(&mut each, from..region.end, column);
        Some(Parts { each, tail: from..region.end })
    }

    /// Gives the comments that are indented deeper than `column` to the part before them. Returns the first line that is
    /// not its.
    fn give_comments(&self, each: &mut [Part], lines: Range<usize>, column: usize) -> usize {
        let deeper = |line: &usize| self.is_comment(*line) && indentation(self.all[*line]) > column;
        match (each.last_mut(), lines.clone().rev().find(deeper)) {
            (Some(last), Some(line)) => {
                last.body.end = line + 1;
                line + 1
            }
            _ => lines.start,
        }
    }

    /// Writes the entries of a map at a column; behind a dash, the first one continues its line.
    fn map(&mut self, pairs: &[Pair], region: Range<usize>, to: usize, place: &Place, dash: Option<usize>) {
        let Some(parts) = self.parts(&region, &begins(pairs)) else {
            self.out.extend(region.map(|line| self.all[line].to_owned()));
            return;
        };
        let keys: Vec<&str> = pairs.iter().map(|pair| pair.name.as_str()).collect();
        let order = self.arranged(pairs, &parts.each, place.order(&keys));
        // Blank lines separate entries, so the one that is first now gives its own to the one that was.
        let gap = |part: &Part| part.head.clone().take_while(|line| self.is_blank(*line)).count();
        let mut gaps: Vec<usize> = parts.each.iter().map(gap).collect();
        if let Some(first) = order.first() {
            gaps.swap(0, *first);
        }
        for (position, index) in order.into_iter().enumerate() {
            let (pair, part) = (&pairs[index], &parts.each[index]);
            let behind = dash.filter(|_| position == 0);
            let own = part.head.clone().take_while(|line| self.is_blank(*line)).count();
            self.out.extend(std::iter::repeat_n(String::new(), gaps[index]));
            // Nothing can be between a dash and the first key.
            self.comments(part.head.start + own..part.head.end, behind.unwrap_or(to));
            let at = self.out.len();
            self.entry(pair, part.body.clone(), to, &place.below(&keys, &pair.name));
            if let (Some(dash), Some(line)) = (behind, self.out.get_mut(at)) {
                line.replace_range(dash..=dash, "-");
            }
        }
        self.comments(parts.tail, to);
    }

    /// The order of the entries. An anchor stays before its aliases.
    fn arranged(&self, pairs: &[Pair], parts: &[Part], order: Option<Vec<&str>>) -> Vec<usize> {
        let mut wanted: Vec<usize> = (0..pairs.len()).collect();
        let Some(order) = order else { return wanted };
        wanted.sort_by_key(|index| order.iter().position(|key| *key == pairs[*index].name).unwrap_or(order.len()));
        let part_of = |offset: usize| parts.iter().position(|part| part.body.contains(&self.line(offset)));
        let needs: Vec<(usize, usize)> = self
            .document
            .aliases
            .iter()
            .filter_map(|(id, alias)| {
                let (_, anchor) = self.document.anchors.iter().find(|(anchor, _)| anchor == id)?;
                Some((part_of(*alias)?, part_of(*anchor)?))
            })
            .filter(|(alias, anchor)| alias != anchor)
            .collect();
        let mut done: Vec<usize> = Vec::new();
        while !wanted.is_empty() {
            let is_ready = |index: &usize| needs.iter().all(|(alias, anchor)| alias != index || done.contains(anchor));
            // In the order of the file each anchor comes first, so one is always ready.
            let next = wanted.iter().position(is_ready).unwrap_or(0);
            done.push(wanted.remove(next));
        }
        done
    }

    /// Writes an entry whose key is to be at a column.
    fn entry(&mut self, pair: &Pair, body: Range<usize>, to: usize, place: &Place) {
        let column = self.column(pair.key);
        let (line, below) = (body.start, body.start + 1..body.end);
        let first = self.all[line].get(column..).unwrap_or_default();
        if self.is_below(&pair.value, line) && self.has_parts(&pair.value, &below) {
            self.push(to, first.trim_end());
            return self.collection(&pair.value, below, to + INDENT, place);
        }
        self.leaf(&pair.value, first, body, (column, column), to, to + INDENT);
    }

    fn has_parts(&self, value: &Syntax, region: &Range<usize>) -> bool {
        match &value.shape {
            Shape::Map(pairs) => self.parts(region, &begins(pairs)).is_some(),
            Shape::List(items) => self.parts(region, &item_begins(items)).is_some(),
            Shape::Leaf | Shape::Block => false,
        }
    }

    /// Writes a map or list that has its lines for itself.
    fn collection(&mut self, value: &Syntax, region: Range<usize>, to: usize, place: &Place) {
        match &value.shape {
            Shape::Map(pairs) => self.map(pairs, region, to, place, None),
            Shape::List(items) => {
                let Some(parts) = self.parts(&region, &item_begins(items)) else { return };
                let place = place.items();
                for (item, part) in items.iter().zip(parts.each) {
                    self.comments(part.head, to);
                    self.item(item, part.body, to, &place);
                }
                self.comments(parts.tail, to);
            }
            Shape::Leaf | Shape::Block => {}
        }
    }

    /// Writes an item whose dash is to be at a column.
    fn item(&mut self, item: &Syntax, body: Range<usize>, to: usize, place: &Place) {
        let text = self.all[body.start];
        let dash = indentation(text);
        let rest = text.get(dash + 1..).unwrap_or_default();
        let below = body.start + 1..body.end;
        if self.is_below(item, body.start) && self.has_parts(item, &below) {
            self.push(to, format!("- {}", rest.trim()).trim_end());
            return self.collection(item, below, to + INDENT, place);
        }
        if let Shape::Map(pairs) = &item.shape
            && self.line(item.start) == body.start
            && self.parts(&body, &begins(pairs)).is_some()
        {
            return self.map(pairs, body, to + INDENT, place, Some(to));
        }
        let content = dash + 1 + indentation(rest);
        let first = format!("- {}", rest.trim_start_matches(' '));
        self.leaf(item, &first, body, (dash, content), to, to + INDENT);
    }

    /// Writes a value that stays as it is. Its key or dash moves from the first of `columns` to `to`, lines below it from
    /// the second to `inner` (behind a dash) or as the key does.
    fn leaf(
        &mut self,
        value: &Syntax,
        first: &str,
        body: Range<usize>,
        columns: (usize, usize),
        to: usize,
        inner: usize,
    ) {
        let (line, (column, content)) = (body.start, columns);
        let end = self.last_line(value, column, line).max(line).min(body.end.saturating_sub(1));
        if let Shape::Block = value.shape {
            self.push(to, first.trim_end());
            self.block(self.line(value.start), line, end, column, to);
            // As deep as the content, a comment would be content.
            return self.comments(end + 1..body.end, to);
        }
        // White space at the end of a line of a scalar may be a part of it.
        self.push(to, if end == line { first.trim_end() } else { first });
        let (from, target) = if column == content { (column, to) } else { (content, inner) };
        for line in line + 1..=end {
            let text = self.all[line];
            self.out.push(match indentation(text) {
                _ if text.trim().is_empty() => text.to_owned(),
                depth => format!("{}{}", " ".repeat((depth + target).saturating_sub(from)), &text[depth..]),
            });
        }
        self.comments(end + 1..body.end, inner);
    }

    /// Writes the content of a literal or folded scalar.
    fn block(&mut self, header: usize, first: usize, end: usize, column: usize, to: usize) {
        for line in first + 1..=header {
            self.push(to + INDENT, self.all[line].trim());
        }
        let Some(content) = self.content(header, column) else {
            self.out.extend((header + 1..=end).map(|_| String::new()));
            return;
        };
        let target = match given_indentation(self.all[header]) {
            Some(given) => to + given,
            None => to + INDENT,
        };
        for line in header + 1..=end {
            let text = self.all[line].get(content..).unwrap_or_default();
            self.out.push(if text.is_empty() { String::new() } else { format!("{}{text}", " ".repeat(target)) });
        }
    }

    fn push(&mut self, to: usize, text: &str) {
        self.out.push(format!("{}{text}", " ".repeat(to)));
    }

    /// Writes comments and blank lines.
    fn comments(&mut self, lines: Range<usize>, to: usize) {
        for line in lines {
            match self.all[line].trim() {
                "" => self.out.push(String::new()),
                comment => self.push(to, comment),
            }
        }
    }
}

fn begins(pairs: &[Pair]) -> Vec<Begin<'_>> {
    pairs.iter().map(|pair| Begin { key: Some(pair.key), value: &pair.value }).collect()
}

fn item_begins(items: &[Syntax]) -> Vec<Begin<'_>> {
    items.iter().map(|value| Begin { key: None, value }).collect()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The indicators of a literal or folded scalar, such as `|2-`.
fn indicators(header: &str) -> &str {
    let before = header.split(" #").next().unwrap_or(header).trim_end();
    before.rfind(['|', '>']).map_or("", |at| &before[at + 1..])
}

fn given_indentation(header: &str) -> Option<usize> {
    indicators(header).chars().find_map(|sign| sign.to_digit(10)).map(|digit| digit as usize)
}

fn keeps_blank_lines(header: &str) -> bool {
    indicators(header).contains('+')
}
