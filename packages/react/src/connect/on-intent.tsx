// What a panel shows only after a click, in one download: split finer, what is shared with the first load would be too,
// and small files compress badly.

export { ConsentQuestion } from '../dialogs/consent-question.tsx'
export { DifferentAccountQuestion } from '../dialogs/different-account-question.tsx'
export { DisconnectQuestion } from '../dialogs/disconnect-question.tsx'
export { QuestionDialog } from '../dialogs/question-dialog.tsx'
export { Receipt } from '../dialogs/receipt.tsx'
export { AccountMore } from '../panel/account-menu.tsx'
export { Details } from '../panel/details.tsx'
export { DisconnectAll } from '../panel/disconnect-all.tsx'
export { ClientIdForm } from './client-id-form.tsx'
