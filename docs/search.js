// The order of search results. Sphinx gives the same score to each page that contains a word.
var Scorer = {
  score: ([page, title, anchor, description, score]) => {
    if (/^(guides\/|index$|faq$|tutorial$|comparison$|quickstart$)/.test(page)) return score + 3;
    if (/^(ARCHITECTURE|CONTRIBUTING|changelog)$/.test(page)) return score - 3;
    return score;
  },

  // Sphinx requires these values here. They are its own, except that pages come before classes.
  objNameMatch: 11,
  objPartialMatch: 2,
  objPrio: { 0: 0, 1: 0, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
