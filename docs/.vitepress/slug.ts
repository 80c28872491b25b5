// The anchors of headings, by the rule of GitHub, so that links to them work on GitHub and on the site.

/** Returns the anchor of a heading: lower case, without punctuation, and with `-` for each space. The second one with the same text gets `-1`. */
export function slug(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-');
}
