//! A terminal's screen as an SVG picture.
//!
//! Knows cells, colours and XML. The picture has a ground of its own, so the page it stands on may be light or dark; it names
//! no font that must be there, and each piece of text is held to its columns whatever the font is. Bars and lines are drawn,
//! not written, so that they meet.

use std::fmt::Write;

use vt100::{Cell, Color, Screen};

/// Pixels of one cell, and of the edge around all of them.
const WIDTH: u32 = 9;
const HEIGHT: u32 = 19;
const EDGE: u32 = 10;
/// From a cell's top to the line that letters stand on.
const BASE: u32 = 14;

type Rgb = (u8, u8, u8);

const GROUND: Rgb = (0x16, 0x1b, 0x22);
const INK: Rgb = (0xd6, 0xdc, 0xe4);
/// The sixteen that a terminal's owner may choose. All but black are easily read on the ground.
const SIXTEEN: [Rgb; 16] = [
    (0x30, 0x36, 0x3d),
    (0xff, 0x7b, 0x72),
    (0x56, 0xd3, 0x64),
    (0xe3, 0xb3, 0x41),
    (0x79, 0xb8, 0xff),
    (0xd2, 0xa8, 0xff),
    (0x56, 0xd4, 0xdd),
    (0xd6, 0xdc, 0xe4),
    (0x9a, 0xa4, 0xb0),
    (0xff, 0xa1, 0x98),
    (0x7e, 0xe7, 0x87),
    (0xf2, 0xcc, 0x60),
    (0xa5, 0xd6, 0xff),
    (0xe2, 0xc5, 0xff),
    (0x87, 0xe8, 0xef),
    (0xff, 0xff, 0xff),
];

/// How the ink of a cell looks.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Rgb,
    is_bold: bool,
    is_italic: bool,
    is_underlined: bool,
}

/// What `screen` shows, with `title` for those who cannot see it.
pub fn picture(screen: &Screen, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (u32::from(rows.get()), u32::from(columns.get()));
    let (width, height) = (columns * WIDTH + 2 * EDGE, rows * HEIGHT + 2 * EDGE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"15\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{}\"/>\n",
        escaped(title),
        hex(GROUND),
    );
    for row in 0..rows {
        let line: Vec<&Cell> =
            (0..columns).filter_map(|column| screen.cell(row as u16, column as u16)).collect();
        grounds(&mut svg, &line, EDGE + row * HEIGHT);
        inks(&mut svg, &line, EDGE + row * HEIGHT);
    }
    svg + "</svg>\n"
}

/// A rectangle behind each stretch of cells that has another ground than the picture.
fn grounds(svg: &mut String, line: &[&Cell], top: u32) {
    let mut from = 0;
    for cells in line.chunk_by(|a, b| ground(a) == ground(b)) {
        if ground(cells[0]) != GROUND {
            rectangle(svg, (left(from), top), (cells.len() as u32 * WIDTH, HEIGHT), ground(cells[0]));
        }
        from += cells.len();
    }
}

fn inks(svg: &mut String, line: &[&Cell], top: u32) {
    let mut column = 0;
    while column < line.len() {
        let cell = line[column];
        let look = look(cell);
        if is_written(cell) {
            let length = line[column..]
                .iter()
                .enumerate()
                .take_while(|(_, next)| self::look(next) == look && (is_written(next) || is_blank(next)))
                .map(|(index, _)| index + 1)
                .last()
                .unwrap_or(1);
            let text: String = line[column..column + length]
                .iter()
                .map(|cell| if is_blank(cell) { " " } else { cell.contents() })
                .collect();
            // One blank may stand inside a piece of text; more are left out, since XML would make one of them.
            let text = text.split("  ").next().unwrap_or_default().trim_end();
            write_text(svg, (left(column), top), text, text.len() as u32 * WIDTH, look);
            column += text.len();
        } else {
            if !is_blank(cell) && !draw(svg, cell.contents(), (left(column), top), look.ink) {
                let cells = if cell.is_wide() { 2 } else { 1 };
                write_mark(svg, (left(column) + cells * WIDTH / 2, top), cell.contents(), look);
            }
            column += 1;
        }
    }
}

/// Part of a piece of text: every font of the kind that is asked for has it, one column wide.
fn is_written(cell: &Cell) -> bool {
    cell.contents().bytes().all(|octet| octet.is_ascii_graphic()) && cell.has_contents()
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.contents(), "" | " ")
}

/// Draws `character` if it is a line or a bar of a whole cell's kind.
fn draw(svg: &mut String, character: &str, (x, y): (u32, u32), ink: Rgb) -> bool {
    let (at, size) = match character {
        "─" => ((x, y + HEIGHT / 2), (WIDTH, 1)),
        "│" => ((x + WIDTH / 2, y), (1, HEIGHT)),
        "▌" => ((x, y), (WIDTH / 2, HEIGHT)),
        _ => match "▁▂▃▄▅▆▇█".chars().position(|bar| character == bar.encode_utf8(&mut [0; 4]))
        {
            Some(index) => {
                // A gap between neighbours, so that they can be counted.
                let height = (HEIGHT - 3) * (index as u32 + 1) / 8;
                ((x, y + HEIGHT - 2 - height), (WIDTH - 1, height))
            }
            None => return false,
        },
    };
    rectangle(svg, at, size, ink);
    true
}

fn rectangle(svg: &mut String, (x, y): (u32, u32), (width, height): (u32, u32), fill: Rgb) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
        hex(fill)
    );
}

fn write_text(svg: &mut String, (x, top): (u32, u32), text: &str, length: u32, look: Look) {
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{length}\"{}>{}</text>",
        top + BASE,
        attributes(look),
        escaped(text)
    );
}

/// One character that a font may have in any width: in the middle of its cell.
fn write_mark(svg: &mut String, (middle, top): (u32, u32), mark: &str, look: Look) {
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\"{}>{}</text>",
        top + BASE,
        attributes(look),
        escaped(mark)
    );
}

fn attributes(look: Look) -> String {
    let mut text = format!(" fill=\"{}\"", hex(look.ink));
    for (is_so, attribute) in [
        (look.is_bold, " font-weight=\"bold\""),
        (look.is_italic, " font-style=\"italic\""),
        (look.is_underlined, " text-decoration=\"underline\""),
    ] {
        if is_so {
            text.push_str(attribute);
        }
    }
    text
}

fn look(cell: &Cell) -> Look {
    let ink = if cell.inverse() { rgb(cell.bgcolor(), GROUND) } else { rgb(cell.fgcolor(), INK) };
    Look {
        ink: if cell.dim() { towards(ink, ground(cell)) } else { ink },
        is_bold: cell.bold(),
        is_italic: cell.italic(),
        is_underlined: cell.underline(),
    }
}

fn ground(cell: &Cell) -> Rgb {
    match cell.bgcolor() {
        _ if cell.inverse() => rgb(cell.fgcolor(), INK),
        // Behind white letters, where the red of letters would be too light.
        Color::Idx(1) => (0xb6, 0x23, 0x24),
        colour => rgb(colour, GROUND),
    }
}

/// A third of the way.
fn towards((r, g, b): Rgb, (to_r, to_g, to_b): Rgb) -> Rgb {
    let third = |from: u8, to: u8| ((2 * u16::from(from) + u16::from(to)) / 3) as u8;
    (third(r, to_r), third(g, to_g), third(b, to_b))
}

fn rgb(colour: Color, default: Rgb) -> Rgb {
    match colour {
        Color::Default => default,
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Idx(index @ 0..16) => SIXTEEN[usize::from(index)],
        // xterm's cube of six shades each, and its greys.
        Color::Idx(index @ 16..232) => {
            let shade = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let index = index - 16;
            (shade(index / 36), shade(index / 6 % 6), shade(index % 6))
        }
        Color::Idx(index) => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

fn left(column: usize) -> u32 {
    EDGE + column as u32 * WIDTH
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
