use super::*;

#[test]
fn cells_may_contain_blocks() {
    for (html, expected) in [
        ("<table><tr><td><div>Total</div><div>100</div></td><td>x</td></tr></table>", "Total 100 | x"),
        ("<table><tr><td><div>Total</div><div>100</div></td></tr></table>", "Total 100"),
        ("<table><tr><th>a<th>b<tr><td><p>x</p><p>y</p><td><ul><li>i<li>j</ul></table>", "a | b\nx y | - i - j"),
        ("<table><tr><td>a<br>b<td>c<tr><td>1<td>2</table>", "a b | c\n1 | 2"),
        (
            "<table><tr><td>a<script>no()</script><style>.x{}</style><td>b<span hidden>no</span><tr><td>1<td>2</table>",
            "a | b\n1 | 2",
        ),
        (
            "<table><tr><td>5<sup>2</sup><td><img alt=tick><tr><td><input type=checkbox checked><td>c</table>",
            "5^2 | tick\n[x] | c",
        ),
        ("<table><tr><th>a<th>b<tr><td>1<td><table><tr><td>x<td>y</table></table>", "a | b\n1 | x, y"),
        ("<table><tr><td>a<tr><td>b</table>", "a\nb"),
        ("<table><caption><div>Two</div><div>words</div></caption><tr><td>1<td>2</table>", "Two words\n1 | 2"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn spans_and_headers_are_known() {
    let document = page(
        "<table><caption>Levels</caption><thead><tr><th rowspan=2>Region<th colspan=2>2026<tr><th>Q1<th>Q2</thead>
        <tfoot><tr><td>Sum<td>4<td>6</tfoot><tbody><tr><td rowspan=0>North<td>1<td>2<tr><td>3<td>4</tbody></table>",
    );
    assert_eq!(
        document.text,
        "Levels\nRegion | 2026 | 2026\nRegion | Q1 | Q2\nNorth | 1 | 2\nNorth | 3 | 4\nSum | 4 | 6"
    );
    let header: String = document.text.chars().take(document.blocks[0].header_end.unwrap()).collect();
    assert_eq!(header, "Levels\nRegion | 2026 | 2026\nRegion | Q1 | Q2");
    assert_eq!(document.report.tables, 1);
    // A span over columns that no row has just means "the whole row".
    assert_eq!(text("<table><tr><td colspan=1000>All<tr><td>1<td>2</table>"), "All | All\n1 | 2");
    assert_eq!(text("<table><tr><td colspan=3>a<td>b<tr><td colspan=3>c<td>d</table>"), "a | b\nc | d");
    // A column of header cells is not a header row.
    assert_eq!(page("<table><tr><th>a<td>1<tr><th>b<td>2</table>").blocks[0].header_end, None);
    assert_eq!(page("<table><tr><th>a<th>b<tr><td>1<td>2</table>").blocks[0].header_end, Some(5));
}

#[test]
fn layout_tables_are_boxes() {
    for (html, expected) in [
        ("<table><tr><td><h1>Six</h1><p>seven</table>", "Six\n\nseven"),
        ("<table><tr><td><ul><li>a</ul><td><p>b</p><p>c</p></table>", "- a\n\nb\n\nc"),
        ("<table role=presentation><tr><td>a<td>b</table>", "a\n\nb"),
        ("<table><tr><td>x<td><table><tr><td>1<td>2<tr><td>3<td>4</table></table>", "x\n\n1 | 2\n3 | 4"),
        ("<table><tr><td class=linenos><pre>1\n2</pre><td><pre>a\n  b</pre></table>", "a\n  b"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
    let aria = "<div role=table><div role=row><span role=columnheader>a</span><span role=columnheader>b</span></div><div role=rowgroup><div role=row><span role=cell>1</span><span role=cell>2</span></div></div></div>";
    assert_eq!(text(aria), "a | b\n1 | 2");
}
