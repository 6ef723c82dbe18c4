"""The scorer sees what a reader does wrong.  python3 -m unittest discover -s benches/reading"""
import unittest

from score import relations, score, words

TABLE = {"header": ["Region", "Q1", "Q2"], "rows": [["North", "10.5", "11.2"], ["South", "7.0", ""]]}
TRUTH = {"pages": 1, "text": ["Invoice FV 17/2026", "The pump costs $1,204.50.", "Region", "Q1", "Q2", "North", "10.5", "11.2", "South", "7.0"],
         "anywhere": ["Aldermoor Ltd"], "optional": ["Page 1 of 2"], "forbidden": ["quernstone"], "exact": ["Vec<u8>"], "tables": [TABLE]}
GOOD = """Aldermoor Ltd
# Invoice FV 17/2026

The **pump** costs $1,204\\.50. Page 1 of 2

| Region | Q1 | Q2 |
| --- | --- | --- |
| North | 10.5 | 11.2 |
| South | 7.0 | |
"""


def judged(text):
    return score({**TRUTH, "exact": []}, text)


class TheScorer(unittest.TestCase):
    def test_a_reader_without_fault_loses_nothing(self):
        result = judged(GOOD)
        self.assertEqual((result.words_lost, result.words_invented, result.numbers_lost, result.relations_lost, result.faults), (0, 0, 0, 0, []))
        self.assertEqual(result.placed, result.in_order)
        self.assertEqual((result.words, result.numbers, result.relations), (20, 8, 3))

    def test_a_dropped_number_is_seen(self):
        for number in ("17", "1,204\\.50", "11.2"):
            result = judged(GOOD.replace(number, ""))
            self.assertEqual((result.numbers_lost, result.words_lost), (1, 1), number)
        self.assertEqual(judged(GOOD.replace("10.5", "1 0.5")).numbers_lost, 1, "a number in pieces")
        self.assertEqual(judged(GOOD.replace("10.5", "105")).numbers_lost, 1, "a number without its point")

    def test_a_number_that_stands_twice_must_come_twice(self):
        truth = {**TRUTH, "text": ["204", "204"], "anywhere": [], "exact": [], "tables": []}
        self.assertEqual(score(truth, "204").numbers_lost, 1)

    def test_words_lost_broken_and_invented_are_seen(self):
        self.assertEqual(judged(GOOD.replace("costs ", "")).words_lost, 1)
        broken = judged(GOOD.replace("Invoice", "In-\nvoice"))
        self.assertEqual((broken.words_lost, broken.words_invented), (1, 2))
        self.assertEqual(judged(GOOD + GOOD).words_invented, 18, "all but what may be repeated: 1 and 2")
        self.assertEqual(judged(GOOD.replace("Invoice", "In\ufffe\nvoice")).words_lost, 0, "pdfium's mark of a hyphen")

    def test_what_must_not_come_through_is_seen_and_counted_once(self):
        result = judged(GOOD + "Quernstone")
        self.assertEqual((result.forbidden, result.forbidden_found, result.words_invented), (1, 1, 0))

    def test_order_is_seen(self):
        truth = {**TRUTH, "text": ["alpha beta gamma delta"], "anywhere": [], "exact": [], "tables": []}
        swapped = score(truth, "gamma delta alpha beta")
        self.assertEqual((swapped.placed, swapped.in_order, swapped.words_lost), (4, 2, 0))

    def test_what_must_be_verbatim_is(self):
        truth = {**TRUTH, "text": ["Vec u 8"], "anywhere": [], "tables": []}
        self.assertEqual(score(truth, "a Vec\\<u8\\> here").exact_lost, 0)
        self.assertEqual(score(truth, "a Vec u8 here").exact_lost, 1)

    def test_a_refused_document_loses_everything(self):
        result = score({**TRUTH, "exact": []}, None, error="no_text")
        self.assertEqual((result.refused, result.words_lost, result.relations_lost), (1, result.words, 3))

    def test_values_keep_row_and_column(self):
        for text in (GOOD, "Region | Q1 | Q2\nNorth | 10.5 | 11.2\nSouth | 7.0", "Region Q1 Q2\nNorth 10.5 11.2\nSouth 7.0",
                     "North: Q1 10.5, Q2: 11.2\nSouth: Q1 = 7.0"):
            self.assertEqual(relations(TABLE, text), (3, []), text)
        self.assertEqual(len(relations(TABLE, "Region | Q1 | Q2\nNorth | 11.2 | 10.5\nSouth | 7.0")[1]), 2, "columns changed")
        self.assertEqual(len(relations(TABLE, "Region\nQ1\nQ2\nNorth\n10.5\n11.2\nSouth\n7.0")[1]), 3, "a cell on each line")
        self.assertEqual(len(relations(TABLE, "North | 10.5 | 11.2\nSouth | 7.0")[1]), 3, "no header")

    def test_every_script_and_number_is_cut_alike(self):
        self.assertEqual(words("Счёт № 1 204,50 руб. v1.2.3 ﬁne don’t **bo**ld"), ["счёт", "no", "1", "204,50", "руб", "v", "1.2.3", "fine", "don’t", "bold"])


if __name__ == "__main__":
    unittest.main()
