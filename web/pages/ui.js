// What all pages share: htm bound to Preact, the frame around a page, notices and dialogs.
import { h } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import htm from 'htm';

export const html = htm.bind(h);

const links = [['/ui/', 'Engine'], ['/ui/bank/', 'Bank'], ['/openapi.json', 'API']];

export const Frame = ({ here, children }) => html`
  <a class="skip" href="#main">Skip to the content</a>
  <header class="bar">
    <a class="brand" href="/ui/"><span class="gate" aria-hidden="true"></span>Sluice</a>
    <nav aria-label="Pages">
      ${links.map(([href, name]) => html`
        <a href=${href} aria-current=${href === here ? 'page' : null}>${name}</a>`)}
    </nav>
  </header>
  <main id="main" tabindex="-1">${children}</main>`;

// A problem is read out at once; good news when the reader pauses.
export const Notice = ({ problem, good }) => html`
  <div role="alert">${problem && html`
    <div class="notice bad">
      <strong>${problem.title}</strong><span>${problem.message}</span>
      ${problem.rule && html`<a href=${`/errors/${problem.rule}`}>About this rule</a>`}
    </div>`}</div>
  <div role="status">${good && html`<div class="notice good">${good}</div>`}</div>`;

// A modal question. The browser's dialog keeps the focus inside and closes by Escape.
export const Confirm = ({ title, yes, busy, onYes, onNo, children }) => {
  const dialog = useRef();
  useEffect(() => {
    const { current } = dialog;
    const before = document.activeElement;
    current.showModal();
    // A dialog that is taken away does not give the focus back by itself.
    return () => {
      current.close();
      before.focus();
    };
  }, []);
  // Escape takes the way of the button, which takes the dialog away.
  const cancel = (event) => {
    event.preventDefault();
    onNo();
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="question" onCancel=${cancel}>
      <h2 id="question">${title}</h2>
      ${children}
      <div class="row end">
        <button type="button" onClick=${onNo}>Back</button>
        <button type="button" class="main" disabled=${busy} onClick=${onYes}>${yes}</button>
      </div>
    </dialog>`;
};

