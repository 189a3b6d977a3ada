// What a panel shows only after a click, in one download: split finer, what is shared with the first load would be too,
// and small files compress badly.
export { AccountMore } from './account-more.tsx'
export { ClientIdForm } from './client-id-form.tsx'
export { ConsentQuestion } from './consent-question.tsx'
export { Details } from './details.tsx'
export { DifferentAccountQuestion } from './different-account-question.tsx'
export { DisconnectAll } from './disconnect-all.tsx'
export { DisconnectQuestion } from './disconnect-question.tsx'
export { QuestionDialog } from './question-dialog.tsx'
export { Receipt } from './receipt.tsx'
