// Sends the one form of the page off; without it the person presses the button.
document.getElementById("answer").submit();
