/** A refusal, in the shape the SDK gives it, so that s3-errors.ts maps both alike. */
import type { RawAnswer } from './answer.ts';
import { elementText } from './xml.ts';

/** What a HEAD's refusal means, which has no body to say it. */
const namesByStatus: Readonly<Record<number, string>> = { 404: 'NotFound', 412: 'PreconditionFailed' };

export class AnswerError extends Error {
  readonly $metadata: { readonly httpStatusCode: number };
  /** Which condition did not hold, where a 412 says so. */
  readonly Condition: string | undefined;

  constructor({ status, text }: Pick<RawAnswer, 'status' | 'text'>) {
    super(elementText(text, 'Message') ?? '');
    this.name = elementText(text, 'Code') ?? namesByStatus[status] ?? 'Error';
    this.$metadata = { httpStatusCode: status };
    this.Condition = elementText(text, 'Condition');
  }
}
