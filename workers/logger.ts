import { DefaultLogger, type LogLevel, type LogMetadata } from '@temporalio/worker';
import { pino } from 'pino';

const levels: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** JSON lines on stderr: one event is one line, whatever stands in a name. */
export function createWorkerLogger(role: string): DefaultLogger {
  const log = pino({ base: { role }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
  return new DefaultLogger('INFO', ({ level, message, meta }: { level: LogLevel; message: string; meta?: LogMetadata }) => {
    log[levels[level]](meta ?? {}, message);
  });
}
