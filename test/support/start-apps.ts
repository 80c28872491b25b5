// Starts the applications in the given directories one after the other, and prints the errors by directory, as JSON. A process of its own:
// samples subscribe to channels and register SDKs, which holds for the whole process.
import { start } from './app';

async function main(directories: string[]): Promise<void> {
  const errors: Record<string, string> = {};
  for (const baseDir of directories) {
    try {
      const { close } = await start('page', { baseDir, plugins: { development: false } });
      await close();
    } catch (err) {
      errors[baseDir] = (err as Error).message;
    }
  }
  process.stdout.write(`\n${JSON.stringify(errors)}\n`, () => process.exit());
}

void main(process.argv.slice(2));
