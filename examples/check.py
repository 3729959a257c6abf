"""What is wrong with the data? Duplicates, leaked test rows and contradictions, before anything is trained."""

import headstart

texts = [f"Ticket {number}: the {part} does not start." for number in range(30) for part in ("pump", "motor")]
labels = ["mechanics", "electrics"] * 30
# The same text with two labels, a row that occurs twice, and a test row that the training data has too.
texts += ["Please call me back.", "Please call me back.", texts[0]]
labels += ["mechanics", "electrics", labels[0]]
test = (["Ticket 3: the pump does not start.", "The fuse of the motor is blown."], ["mechanics", "electrics"])

audit = headstart.check((texts, labels), test=test, task="classification")
for finding in audit.findings:
    if finding.severity != "fine":
        print(f"{finding.severity}: {finding.sentence}")
