"""What stands below the tables and figures of a report."""

TABLES = {
    2: "Models",
    3: "Ablation of the image model: wavelet transform (WT) and soft attention (SA)",
    4: "Fusion strategies",
    5: "Image model with and without augmentation",
}
FIGURES: dict[int | str, tuple[str, str]] = {
    2: (
        "Rows and patients left by each criterion (the paper's Figure 2).",
        "Flow chart of rows from the table to the two groups.",
    ),
    3: (
        "SHAP values of the clinical model on test patients (the paper's Figure 3): A, each dot a "
        "patient, dark where the variable is high; B, mean size. Fold 1's model. They say what the "
        "model uses, not what causes the disease.",
        "Dot plot and bar plot of SHAP values by clinical variable.",
    ),
    4: (
        "Loss by epoch of each net of the multimodal model, or of the main net, a line per fold "
        "(the paper's Figure 4). Validation: the rows set aside for early stopping.",
        "Training and validation loss falling over epochs, by net.",
    ),
    5: (
        "ROC curves on the test part (the paper's Figure 5).",
        "ROC curves of the models of the table above.",
    ),
    6: (
        "Accuracy by epoch, mean over folds, on the rows set aside for early stopping (the paper's "
        "Figure 6 shows the test rows, which are not looked at during training here). A fold that "
        "has stopped keeps the value of its best epoch.",
        "Accuracy by epoch of each net.",
    ),
    7: (
        "Grad-CAM of test patients drawn at random (the paper's Figure 7). Fold 1's model, with "
        "what it says of each patient. Grad-CAM: bright is where the film raised the probability. "
        "Attention, where the net has it: where it looked.",
        "Chest films, and beside them the same films under heat maps.",
    ),
    "comparison": (
        "Differences from the reference on the test part, with 95 % intervals.",
        "Forest plot of differences in AUC, accuracy, sensitivity and specificity.",
    ),
    "calibration": (
        "Calibration on the validation rows: observed share against probability, in bins of "
        "equally many rows.",
        "Reliability curves of the main models beside the diagonal.",
    ),
    "decision_curve": (
        "Decision curves on the validation rows: net benefit over the threshold at which one would "
        "refer, beside referring all and none. A model that is not calibrated has its benefit at "
        "other thresholds than it says.",
        "Net benefit over threshold probability of the main models.",
    ),
    "subgroups": (
        "AUC by subgroup on the validation rows. A level with fewer than 10 patients with or "
        "without the outcome is suppressed, and the next smallest where that hides too little.",
        "Forest plot of AUC by level of sex, age and other groupings.",
    ),
    "fusion": (
        "What the fusion made of the two probabilities of one test patient, drawn at random. Fold "
        "1's model.",
        "Fused probability over the probabilities of the branches, with one patient marked.",
    ),
}
