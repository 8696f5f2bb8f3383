"""Words that nobody knows, so that training reads letters and characters instead of recognising the words of a list.

English ones are syllables that can be spoken, Chinese ones any characters that the lists hold. None is a word of the evaluation's
(holdout.NEW_WORDS, NEW_ZH_WORDS).
"""
import words
from holdout import NEW_WORDS, NEW_ZH_WORDS

ONSETS = "b c d f g h j k l m n p r s t v w y z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st sw th tr tw".split()
VOWELS = "a e i o u a e i o u ai ea ee ie oa oo ou ow ay y".split()
CODAS = ["", "", "", "n", "r", "l", "t", "s", "d", "m", "p", "k", "g", "nd", "nt", "st", "rt", "rd", "ck", "ng", "ll", "ss", "ble", "ter", "x"]
LISTS = words.ZH_WORDS, words.ZH_BUTTONS, words.ZH_LABELS, words.ZH_VALUES, words.ZH_TITLES, words.ZH_NODES
CHARACTERS = sorted({c for known in LISTS for word in known for c in word if words.is_chinese(c)})
KEPT_OUT = {*NEW_WORDS, *NEW_ZH_WORDS}


def new_word(r, chinese=False):
    """A word of three to nine letters, as titles, signs and shouting have it, or of two to four characters."""
    while True:
        if chinese:
            word = "".join(r.choice(CHARACTERS) for _ in range(r.choice((2, 2, 2, 3, 3, 4))))
        else:
            word = "".join(r.choice(ONSETS) + r.choice(VOWELS) + r.choice(CODAS) for _ in range(r.choice((1, 1, 2, 2, 3))))
        if word not in KEPT_OUT and 2 <= len(word) <= 9:
            return r.choice((word, word, word.capitalize(), word.upper()))
