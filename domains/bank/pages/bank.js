// The bank: which page the address asks for.
//
//     #/client  #/external  #/account/ID  #/transfer  #/transfer/FROM  #/office
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Frame, html } from '/ui/ui.js';
import { Account } from './account.js';
import { Accounts } from './accounts.js';
import { Office } from './office.js';
import { Transfer } from './transfer.js';

const parts = () => location.hash.slice(2).split('/').map(decodeURIComponent);

// The key makes a page anew for each address: nothing of another account stays.
const pageOf = ([name, id]) => {
  if (name === 'account' && id) return html`<${Account} key=${`account ${id}`} id=${id} />`;
  if (name === 'transfer') return html`<${Transfer} key=${`transfer ${id}`} from=${id ?? ''} />`;
  if (name === 'office') return html`<${Office} key="office" />`;
  const kind = name === 'external' ? name : 'client';
  return html`<${Accounts} key=${kind} kind=${kind} />`;
};

const Bank = () => {
  const [place, setPlace] = useState(parts);
  useEffect(() => {
    const move = () => {
      setPlace(parts());
      // Readers of screens begin at the new page, as after a real one.
      document.getElementById('main').focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    addEventListener('hashchange', move);
    return () => removeEventListener('hashchange', move);
  }, []);
  return html`<${Frame} here="/ui/bank/">${pageOf(place)}<//>`;
};

render(html`<${Bank} />`, document.body);
